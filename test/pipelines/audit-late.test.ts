/** Late events, backfills and audits beside a stream that sets late events aside, as on a cluster: over real stores, against a model of Sets. */

import fc from "fast-check";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";
import { LedgerProgress } from "../../io/cluster/ledger-progress";
import type { AuditReport, LedgerMinute, LedgerRow } from "../../io/ports";
import { FINAL_SLACK_MS, runAudit } from "../../pipelines/audit/audit";
import { asMinuteCounts } from "../contracts/counter-model";
import { modelCells, T0 } from "../domain/model";
import { storedCells } from "../golden/outcome";
import { event } from "../transforms/elements";
import { AuditHarness } from "./audit-harness";

const LATENESS_MS = 10 * MINUTE_MS;
const MINUTE = minuteOf(T0);
const FINAL_MS = T0 + MINUTE_MS + LATENESS_MS + FINAL_SLACK_MS;

interface Received {
  event: VideoEvent;
  receivedAtMs: number;
}

/** One minute of a cluster: a log, an archiver that may lag or lead, a job that may be away, and its books. */
class Cluster {
  readonly log: Received[] = [];
  readonly backfilled: VideoEvent[] = [];
  nowMs = T0;
  private archived = 0;
  private streamed = 0;

  constructor(readonly harness: AuditHarness) {}

  receive(events: readonly VideoEvent[], receivedAtMs: number): void {
    this.nowMs = Math.max(this.nowMs, receivedAtMs);
    for (const each of events) this.log.push({ event: each, receivedAtMs });
  }

  /** The archiver takes all there is, lists it, and says how far it is. */
  async archiver(): Promise<void> {
    const { harness } = this;
    for (; this.archived < this.log.length; this.archived++) {
      const { event: each, receivedAtMs } = this.log[this.archived]!;
      await harness.archive([each], receivedAtMs, 1);
    }
    await harness.stores.ledger.setArchivedThrough("archiver", this.nowMs, this.nowMs + 60_000);
  }

  /** The job takes the next `count` messages and fires: absolute numbers of what came in time, the books of both. */
  async stream(count: number): Promise<void> {
    this.streamed = Math.min(this.log.length, this.streamed + count);
    const taken = this.log.slice(0, this.streamed);
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
    const { archive, counters, ledger } = this.harness.stores;
    const progress = new LedgerProgress(ledger, { clock: () => this.nowMs });
    const range = { fromMs: T0, toMs: T0 + MINUTE_MS, repair, allowedLatenessMs: LATENESS_MS };
    return runAudit({ archive, counters, ledger, progress, clock: () => this.nowMs }, range);
  }

  async books(): Promise<LedgerMinute> {
    const [books] = await this.harness.stores.ledger.books(MINUTE, MINUTE + 1);
    return books!;
  }

  /** Everything that was accepted, as a model counts it. */
  get truth() {
    return modelCells([...this.log.map((each) => each.event), ...this.backfilled]);
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

async function withCluster(work: (cluster: Cluster) => Promise<void>): Promise<void> {
  const harness = await AuditHarness.open();
  try {
    await work(new Cluster(harness));
  } finally {
    await harness.close();
  }
}

const LATE_MS = T0 + 2 * 3_600_000;

it("an event that is received late is counted by the next audit, and the books move from late to counted", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a"), event("b")], T0);
    cluster.receive([event("late"), event("late"), event("a")], LATE_MS);
    await cluster.archiver();
    await cluster.stream(9);
    expect(await cluster.books()).toMatchObject({ accepted: 5, archived: 5, counted: 2, duplicate: 0, late: 3 });
    expect(await cluster.audit(false)).toMatchObject({ outcome: "differences", lateEvents: 3 });
    expect(await cluster.books()).toMatchObject({ counted: 2, late: 3 });
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired", lateEvents: 3 });
    await cluster.expectTruth();
    expect(await cluster.books()).toMatchObject({ archived: 5, counted: 3, duplicate: 2, late: 0 });
    const [cell] = await cluster.harness.stores.counters.read("v", "VIEW", T0, T0 + MINUTE_MS, "minute");
    expect(cell).toMatchObject({ count: 3, revision: 1 });
    // More of the same: what waits is what came since.
    cluster.receive([event("later")], LATE_MS + 3_600_000);
    await cluster.archiver();
    await cluster.stream(1);
    expect(await cluster.books()).toMatchObject({ archived: 6, counted: 3, duplicate: 2, late: 1 });
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired" });
    expect(await cluster.books()).toMatchObject({ archived: 6, counted: 4, duplicate: 2, late: 0 });
    await cluster.expectTruth();
  }));

it("a late repeat of an event that came in time is one event, and no cell differs", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a")], T0);
    cluster.receive([event("a")], LATE_MS);
    await cluster.archiver();
    await cluster.stream(2);
    expect(await cluster.audit()).toMatchObject({ outcome: "equal", lateEvents: 1 });
    expect(await cluster.books()).toMatchObject({ counted: 1, duplicate: 1, late: 0 });
  }));

it("a job that was away for hours counts nothing twice and undoes no correction when it comes back", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a"), event("b"), event("b")], T0);
    cluster.receive([event("late")], LATE_MS);
    await cluster.archiver();
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired" });
    await cluster.expectTruth();
    // Nothing is said to be counted that the stream has not booked.
    expect((await cluster.books()).counted).toBeLessThan(3);
    for (let n = 0; n < 4; n++) {
      await cluster.stream(1);
      await cluster.expectTruth();
    }
    expect(await cluster.books()).toMatchObject({ archived: 4, counted: 3, duplicate: 1, late: 0 });
    expect(await cluster.audit()).toMatchObject({ outcome: "equal" });
  }));

it("while the archiver is behind the stream nothing is corrected and nothing is called equal", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a")], T0);
    await cluster.archiver();
    cluster.receive([event("b")], T0 + MINUTE_MS);
    await cluster.stream(2);
    cluster.nowMs = LATE_MS;
    const { outcome, notComparable } = await cluster.audit();
    expect({ outcome, notComparable }).toEqual({
      outcome: "not-comparable",
      notComparable: [{ minute: MINUTE, reason: "cells differ, and the stream may still count events of the minute" }],
    });
    await cluster.expectTruth();
    expect(await cluster.harness.auditedMinutes(T0, T0 + MINUTE_MS)).toEqual([]);
    await cluster.archiver();
    expect(await cluster.audit()).toMatchObject({ outcome: "equal" });
    expect(await cluster.harness.auditedMinutes(T0, T0 + MINUTE_MS)).toEqual([MINUTE]);
  }));

it("backfilled events are counted by the audit, once with what the log has, and the books balance", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a"), event("b")], T0);
    await cluster.archiver();
    await cluster.stream(2);
    await cluster.backfill([event("b"), event("old"), event("old"), event("older")]);
    cluster.nowMs = LATE_MS;
    await cluster.archiver();
    expect(await cluster.books()).toMatchObject({ archived: 6, counted: 2, duplicate: 0 });
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired" });
    await cluster.expectTruth();
    expect(await cluster.books()).toMatchObject({ archived: 6, counted: 4, duplicate: 2, late: 0 });
  }));

const someEvents = fc.array(
  fc
    .record({ id: fc.nat({ max: 6 }), video: fc.nat({ max: 1 }), value: fc.option(fc.integer({ min: -9, max: 9 })) })
    .map(({ id, video, value }) => event(`e${id}`, { videoId: `v${video}`, ...(value === null ? {} : { value }) })),
  { minLength: 1, maxLength: 4 },
);
type Step =
  | { kind: "receive" | "late" | "backfill"; events: VideoEvent[] }
  | { kind: "archive" | "audit" | "look" }
  | { kind: "stream" | "restart"; count: number };
const schedule: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: someEvents.map((events): Step => ({ kind: "receive", events })) },
    { weight: 3, arbitrary: someEvents.map((events): Step => ({ kind: "late", events })) },
    { weight: 1, arbitrary: someEvents.map((events): Step => ({ kind: "backfill", events })) },
    { weight: 3, arbitrary: fc.constantFrom<Step>({ kind: "archive" }, { kind: "audit" }, { kind: "look" }) },
    { weight: 4, arbitrary: fc.nat({ max: 5 }).map((count): Step => ({ kind: "stream", count })) },
    { weight: 1, arbitrary: fc.nat({ max: 5 }).map((count): Step => ({ kind: "restart", count })) },
  ),
  { maxLength: 14 },
);

async function step(cluster: Cluster, one: Step): Promise<void> {
  switch (one.kind) {
    case "receive":
      // In time, while the time lasts: the log's order is that of receipt.
      return cluster.receive(one.events, cluster.nowMs);
    case "late":
      return cluster.receive(one.events, Math.max(LATE_MS, cluster.nowMs));
    case "backfill":
      return cluster.backfill(one.events);
    case "archive":
      return cluster.archiver();
    case "stream":
      return cluster.stream(one.count);
    case "restart":
      return cluster.restart(one.count);
    case "look":
      return void (await cluster.audit(false));
    case "audit": {
      const { outcome } = await cluster.audit();
      const isArchived = outcome !== "not-comparable";
      if (isArchived) expect(outcome === "equal" || outcome === "repaired").toBe(true);
    }
  }
}

it("whatever the order of receipt, archiver, stream, restart and audits: never more than was accepted, and all of it in the end", async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async (steps) => {
      await withCluster(async (cluster) => {
        for (const one of steps) {
          await step(cluster, one);
          const truth = cluster.truth;
          for (const [name, { count }] of await cluster.stored()) {
            expect(count).toBeLessThanOrEqual(truth.get(name)?.count ?? 0);
          }
        }
        if (cluster.log.length + cluster.backfilled.length === 0) return;
        cluster.nowMs = Math.max(cluster.nowMs, FINAL_MS);
        await cluster.archiver();
        await cluster.stream(1_000);
        const last = await cluster.audit();
        expect(["equal", "repaired"]).toContain(last.outcome);
        await cluster.expectTruth();
        // The stream fires again, from the start: nothing moves.
        cluster.restart(1_000);
        await cluster.stream(1_000);
        await cluster.expectTruth();
        const books = await cluster.books();
        const events = cluster.log.length + cluster.backfilled.length;
        expect(books).toMatchObject({ archived: events, late: 0 });
        expect(books.counted + books.duplicate).toBe(events);
        expect(await cluster.audit()).toMatchObject({ outcome: "equal" });
      });
    }),
    { numRuns: 25 },
  );
}, 240_000);
