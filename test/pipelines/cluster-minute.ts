// SPDX-License-Identifier: Apache-2.0
/** One minute of event time on a cluster, for tests of audits: over real stores, against a model of Sets. */
import { minuteOf, type VideoEvent } from "../../domain/event";
import { FINAL_SLACK_MS } from "../../domain/rules/lateness";
import { MINUTE_MS } from "../../domain/rules/time";
import { LedgerProgress } from "../../io/cluster/ledger-progress";
import type { AuditReport, LedgerMinute, LedgerRow, LogProgress } from "../../io/ports";
import { runAudit } from "../../pipelines/audit/audit";
import { type WrittenOff, writeOffLosses } from "../../pipelines/audit/write-off";
import { modelCells, T0 } from "../domain/model";
import { asMinuteCounts } from "../io/ports/counter-model";
import { storedCells } from "../system/golden/outcome";
import { AuditHarness } from "./audit-harness";

export const LATENESS_MS = 10 * MINUTE_MS;
export const MINUTE = minuteOf(T0);
export const FINAL_MS = T0 + MINUTE_MS + LATENESS_MS + FINAL_SLACK_MS;

const RANGE = { fromMs: T0, toMs: T0 + MINUTE_MS, allowedLatenessMs: LATENESS_MS, patienceMs: 0 };

interface Received {
  event: VideoEvent;
  receivedAtMs: number;
  /** Left the log before the archiver had taken it; `unseen`: before the job had, too. */
  fate: "kept" | "lost" | "unseen";
}

/** One minute of a cluster: a log, an archiver that may lag or lead, a job that may be away, and its books. */
export class ClusterMinute {
  readonly log: Received[] = [];
  readonly backfilled: VideoEvent[] = [];
  nowMs = T0;
  private archived = 0;
  private bookings = 0;
  private streamed = 0;

  constructor(readonly harness: AuditHarness) {}

  receive(events: readonly VideoEvent[], receivedAtMs: number): void {
    this.nowMs = Math.max(this.nowMs, receivedAtMs);
    for (const each of events) this.log.push({ event: each, receivedAtMs, fate: "kept" });
  }

  /** Books all accepted events, as the instances of ingest do, whether their messages are lost or not. */
  async promise(): Promise<void> {
    const booking = { instance: "i1", sequence: ++this.bookings, sinceMs: T0, throughMs: this.nowMs, leaseUntilMs: 0 };
    await this.harness.stores.ledger.bookAccepted({ ...booking, minutes: new Map([[MINUTE, this.log.length]]) });
  }

  /** The next `count` messages leave the log before the archiver takes them. */
  lose(count: number): void {
    for (const [index, one] of this.log.entries()) {
      if (index < this.archived || index >= this.archived + count) continue;
      if (one.fate === "kept") one.fate = index < this.streamed ? "lost" : "unseen";
    }
  }

  get lost(): number {
    return this.log.filter(({ fate }) => fate !== "kept").length;
  }

  /** The archiver takes all there is, lists it, and says how far it is. */
  async archiver(): Promise<void> {
    const { harness } = this;
    for (; this.archived < this.log.length; this.archived++) {
      const { event: each, receivedAtMs, fate } = this.log[this.archived]!;
      if (fate !== "kept") continue;
      await harness.archive([each], receivedAtMs, 1);
    }
    await harness.stores.ledger.setArchivedThrough("archiver", this.nowMs, this.nowMs + 60_000);
  }

  /**
   * The job takes the next `count` messages and fires: absolute numbers of the events received in time, the books of
   * both.
   */
  async stream(count: number): Promise<void> {
    this.streamed = Math.min(this.log.length, this.streamed + count);
    const taken = this.log.slice(0, this.streamed).filter(({ fate }) => fate !== "unseen");
    const isLate = ({ event: each, receivedAtMs }: Received) => receivedAtMs - each.eventTimeMs > LATENESS_MS;
    const inTime = taken.filter((each) => !isLate(each)).map((each) => each.event);
    const cells = [...modelCells(inTime)].map(([name, { count: once, sum, valued, lastMs }]) => {
      const [minute, video, type] = name.split(" ") as [string, string, string];
      const received = inTime.filter((each) => each.videoId === video && each.eventType === type).length;
      return { minute: Number(minute), video, type, count: once, sum, valued, last: lastMs, correction: 0, received };
    });
    await this.harness.stores.counters.apply(asMinuteCounts(cells));
    const counted = cells.reduce((sum, cell) => sum + cell.count, 0);
    const rows: LedgerRow[] = [row(0, inTime.length, counted, 0)];
    const late = new Map<number, number>();
    for (const each of taken.filter(isLate)) {
      const minute = minuteOf(each.receivedAtMs);
      late.set(minute, (late.get(minute) ?? 0) + 1);
    }
    for (const [minute, events] of late) rows.push(row(100 + minute, events, 0, events));
    await this.harness.stores.ledger.writeRows(rows);
  }

  async backfill(events: readonly VideoEvent[]): Promise<void> {
    this.backfilled.push(...events);
    await this.harness.archiveBackfill(events);
  }

  /** The job starts again from its last checkpoint: it has counted less than it had. */
  restart(lost: number): void {
    this.streamed = Math.max(0, this.streamed - lost);
  }

  audit(repair = true): Promise<AuditReport> {
    return runAudit(this.audited, { ...RANGE, repair });
  }

  writeOff(reason = "a reason"): Promise<WrittenOff> {
    return writeOffLosses(this.audited, RANGE, reason);
  }

  private get audited() {
    const { archive, counters, ledger } = this.harness.stores;
    const told = new LedgerProgress(ledger, { clock: () => this.nowMs });
    const progress: LogProgress = {
      behind: () => told.behind(),
      accepted: (from, to) => told.accepted(from, to),
      completeThroughMs: (nowMs) => told.completeThroughMs(nowMs),
      // A worker asks by the machine's clock, which is days ahead of this minute's.
      archivedThroughMs: async (nowMs) => (await told.archivedThroughMs(this.nowMs)) + nowMs - this.nowMs,
    };
    return { archive, counters, ledger, progress, clock: () => this.nowMs };
  }

  async books(): Promise<LedgerMinute> {
    const [books] = await this.harness.stores.ledger.books(MINUTE, MINUTE + 1);
    return books!;
  }

  /** Everything that was accepted and is not lost, as a model counts it. */
  get truth() {
    const kept = this.log.filter(({ fate }) => fate === "kept");
    return modelCells([...kept.map((each) => each.event), ...this.backfilled]);
  }

  async stored() {
    const { minutes } = await storedCells(this.harness.stores.counters);
    return new Map(
      [...minutes].map(([name, { count, sum }]) => {
        const [startMs, ...rest] = name.split(" ");
        return [`${Number(startMs) / MINUTE_MS} ${rest.join(" ")}`, { count, sum }];
      }),
    );
  }

  async expectTruth(): Promise<void> {
    const truth = new Map([...this.truth].map(([name, { count, sum }]) => [name, { count, sum }]));
    expect(await this.stored()).toEqual(truth);
  }
}

function row(part: number, received: number, counted: number, late: number): LedgerRow {
  return { minute: MINUTE, part, received, counted, duplicate: received - counted - late, late, reusedIds: 0 };
}

export async function withCluster(work: (cluster: ClusterMinute) => Promise<void>): Promise<void> {
  const harness = await AuditHarness.open();
  try {
    await work(new ClusterMinute(harness));
  } finally {
    await harness.close();
  }
}
