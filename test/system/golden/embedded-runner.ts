// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { minuteOf } from "../../../domain/event";
import { provideResource, withdrawResource } from "../../../engine";
import { DirectoryArchive } from "../../../io/directory/archive";
import { readArchiveObject } from "../../../io/formats/avro/archive-object";
import type { Archive, BookRetention, CounterStore, DeadLetters, EmbeddedLedger, EmbeddedLog } from "../../../io/ports";
import { SqliteCounterStore } from "../../../io/sqlite/counter-store";
import { SqliteDeadLetters } from "../../../io/sqlite/dead-letters";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { SqliteLogProgress } from "../../../io/sqlite/log-progress";
import { DeferredRanges } from "../../../pipelines/embedded/deferred-ranges";
import { EmbeddedPaneCache } from "../../../pipelines/embedded/pane-cache";
import { runPass, runSlice } from "../../../pipelines/embedded/pass";
import { RESOURCES } from "../../../transforms/resource-names";
import type { IngestStores } from "../../io/sqlite/emptied-stores";
import { auditAll, doAudits } from "./auditing";
import { ingest, type SentStep } from "./ingest";
import { type GoldenRunner, letters, type Outcome, storedCells } from "./outcome";
import type { AsideStep, GoldenScript, LedgerRow } from "./script";

export interface EmbeddedOptions {
  dedupePartitions: number;
  videoShards: number;
  /**
   * Whether panes and written cells are kept from pass to pass, or every touched minute is recounted from the archive.
   */
  keepPanes: boolean;
  /** Minutes that one pass counts; by default all. */
  maxMinutes?: number;
  maxRecountEvents?: number;
}

export interface Stores {
  log: EmbeddedLog;
  archive: Archive;
  counters: CounterStore;
  ledger: EmbeddedLedger & BookRetention;
  deadLetters: DeadLetters;
  close(): Promise<void>;
}

/** `shared`: a log and dead letters that somebody else opened and closes. */
export async function openStores(folder: string, shared?: IngestStores): Promise<Stores> {
  mkdirSync(folder, { recursive: true });
  const log = shared?.log ?? (await SqliteEventLog.open({ folder }));
  const counters = new SqliteCounterStore({ folder });
  const ledger = new SqliteLedger({ folder });
  const deadLetters = shared?.deadLetters ?? new SqliteDeadLetters({ folder });
  const archive = new DirectoryArchive({ folder: join(folder, "archive") });
  const close = async () => {
    const own = shared === undefined ? [log, deadLetters] : [];
    await Promise.all([...own, counters, ledger].map((store) => store.close()));
  };
  return { log, archive, counters, ledger, deadLetters, close };
}

const KEPT = 1_000_000;

/** The embedded stream over real stores. `around` may wrap the ports a pass writes to. */
export class EmbeddedStream {
  panes: EmbeddedPaneCache;
  deferredRanges = new DeferredRanges();
  isAway = false;

  constructor(
    readonly stores: Stores,
    readonly options: EmbeddedOptions,
    readonly allowedLatenessMs: number,
    readonly around: (stores: Stores) => Stores = (same) => same,
  ) {
    this.panes = this.noPanes();
  }

  private noPanes = () => new EmbeddedPaneCache(this.options.keepPanes ? KEPT : 0);

  /** Continues as another process would. */
  restart(): void {
    this.isAway = false;
    this.panes = this.noPanes();
    this.deferredRanges = new DeferredRanges();
  }

  send(step: SentStep): Promise<void> {
    return ingest(step, this.stores.log, this.stores.deadLetters);
  }

  pass() {
    return this.run(runPass);
  }

  audit(): Promise<void> {
    const { log, ledger } = this.stores;
    return auditAll({ ...this.stores, progress: new SqliteLogProgress(log, ledger, ledger) }, this.allowedLatenessMs);
  }

  slice() {
    return this.run(runSlice);
  }

  private async run(step: typeof runPass) {
    const { dedupePartitions, videoShards, maxMinutes = 1_000_000, maxRecountEvents = 1_000_000 } = this.options;
    const { panes, deferredRanges, allowedLatenessMs } = this;
    const stores = this.around(this.stores);
    const provided = new Map<string, unknown>([
      [RESOURCES.archive, stores.archive],
      [RESOURCES.counterStore, stores.counters],
      [RESOURCES.ledger, stores.ledger],
      [RESOURCES.deadLetters, stores.deadLetters],
      [RESOURCES.paneCache, panes],
    ]);
    for (const [name, value] of provided) provideResource(name, value);
    try {
      return await step(
        { ...stores, panes, deferredRanges },
        {
          writer: "golden",
          maxEntries: 100,
          maxBytes: 1 << 20,
          maxMinutes,
          maxRecountEvents,
          finalAfterMs: 3_600_000,
          counting: {
            dedupePartitions,
            videoShards,
            allowedLatenessMs,
            // A stream that sets late events aside does not have all that an audit has.
            followCorrections: allowedLatenessMs < 0,
            paneCache: RESOURCES.paneCache,
          },
        },
      );
    } finally {
      for (const name of provided.keys()) withdrawResource(name);
    }
  }

  async catchUp(): Promise<void> {
    while (((await this.pass()) ?? (await this.slice())) !== undefined);
  }

  /** Events really in the archive, by minute, read from its objects; not what is listed of them. */
  async archivedEvents(): Promise<Map<number, number>> {
    const events = new Map<number, number>();
    for (const { name, minute } of await this.stores.archive.list(0, minuteOf(Date.UTC(9999, 0)))) {
      for (const { columns } of readArchiveObject(await this.stores.archive.read(name), minute)) {
        events.set(minute, (events.get(minute) ?? 0) + columns.count);
      }
    }
    return events;
  }

  async ledger(ledger = this.stores.ledger): Promise<Map<number, LedgerRow>> {
    const all = [0, minuteOf(Date.UTC(9999, 0))] as const;
    const accepted = await this.stores.log.accepted(...all);
    const archived = await this.archivedEvents();
    const listed = new Map((await this.stores.ledger.books(...all)).map((row) => [row.minute, row.archived]));
    expect(listed).toEqual(archived);
    const counted = new Map((await ledger.books(...all)).map((row) => [row.minute, row]));
    const minutes = [...new Set([...accepted.keys(), ...archived.keys(), ...counted.keys()])].sort((a, b) => a - b);
    return new Map(
      minutes.map((minute) => {
        const { counted: once = 0, duplicate = 0, late = 0, reusedIds: reused = 0 } = counted.get(minute) ?? {};
        const books = { accepted: accepted.get(minute) ?? 0, archived: archived.get(minute) ?? 0 };
        return [minute, { ...books, counted: once, duplicate, late, reused }];
      }),
    );
  }

  async outcome(): Promise<Outcome> {
    const { counters, deadLetters } = this.stores;
    return { ...(await storedCells(counters)), ledger: await this.ledger(), deadLetters: await letters(deadLetters) };
  }
}

/** Does the script's steps on the embedded stream, then the rest. */
export async function play(
  script: GoldenScript,
  stream: EmbeddedStream,
  aside?: (step: AsideStep) => Promise<void>,
): Promise<void> {
  for (const [index, step] of script.steps.entries()) {
    if (step.kind === "away") stream.isAway = true;
    else if (step.kind === "back") stream.restart();
    else if (step.kind !== "pass") await stream.send(step);
    else if (!stream.isAway) await stream.pass();
    if (script.audits?.includes(index + 1)) await stream.audit();
    for (const { after, step: beside } of script.asides ?? []) if (after === index + 1) await aside?.(beside);
  }
  await stream.catchUp();
}

/** Event log -> passes of the embedded stream -> stores: what `npm start` runs. */
export class EmbeddedRunner implements GoldenRunner {
  readonly name: string;

  constructor(readonly options: EmbeddedOptions) {
    const { dedupePartitions, videoShards, keepPanes, maxMinutes } = options;
    const bound = maxMinutes === undefined ? "" : `, ${maxMinutes} minutes a pass`;
    this.name = `embedded, P ${dedupePartitions}, Q ${videoShards}, panes ${keepPanes ? "kept" : "not kept"}${bound}`;
  }

  async run(script: GoldenScript, folder: string): Promise<Outcome> {
    const stores = await openStores(folder);
    try {
      const stream = new EmbeddedStream(stores, this.options, script.allowedLatenessMs);
      await play(script, stream);
      const progress = new SqliteLogProgress(stores.log, stores.ledger, stores.ledger);
      await doAudits(script, { ...stores, progress });
      return await stream.outcome();
    } finally {
      await stores.close();
    }
  }
}
