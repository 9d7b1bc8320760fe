// SPDX-License-Identifier: Apache-2.0
/** The embedded stream with roll-ups, over days of a script that are past their retention. */
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DAY_MS, MINUTE_MS } from "../../../domain/rules/time";
import { DirectoryRollUps } from "../../../io/directory/roll-up-folder";
import { SqliteCellTiers } from "../../../io/sqlite/cell-tiers";
import { SqliteLogProgress } from "../../../io/sqlite/log-progress";
import { TieredCounters } from "../../../io/tiers/tiered-counters";
import { backfill } from "../../../pipelines/backfill/backfill";
import { rollUpAll } from "../../../pipelines/tier/roll-up";
import { type EmbeddedOptions, EmbeddedStream, openStores, play, type Stores } from "./embedded-runner";
import type { GoldenRunner, Outcome } from "./outcome";
import type { AsideStep, GoldenCells, GoldenScript, LedgerRow } from "./script";

const ALL_MINUTES = [0, 2 ** 40] as const;

class TieredStream extends EmbeddedStream {
  tiered = 0;
  readonly tiers: SqliteCellTiers;
  readonly rollUps: DirectoryRollUps;
  readonly store: Stores["counters"];
  private files = 0;

  constructor(
    stores: Stores,
    options: EmbeddedOptions,
    private readonly folder: string,
  ) {
    const tiers = new SqliteCellTiers({ folder });
    const rollUps = new DirectoryRollUps({ folder: join(folder, "rollups") });
    const read = { tiers, folder: rollUps, clock: Date.now, youngestMs: Number.NEGATIVE_INFINITY };
    super({ ...stores, counters: new TieredCounters({ store: stores.counters, ...read }) }, options, -1);
    this.tiers = tiers;
    this.rollUps = rollUps;
    this.store = stores.counters;
  }

  /** The days before that of the last receipt leave. */
  async tier(nowMs: number): Promise<void> {
    const { archive, ledger } = this.stores;
    for (const { name, minute } of await archive.list(...ALL_MINUTES))
      utimesSync(join(this.folder, "archive", name), minute * 60, minute * 60);
    const deps = { counters: this.store, tiers: this.tiers, folder: this.rollUps, archive, ledger, clock: () => nowMs };
    const rolled = await rollUpAll(deps, { minutesMs: nowMs % DAY_MS, hoursMs: 400 * DAY_MS });
    expect(rolled.every(({ outcome }) => outcome === "rolled-up")).toBe(true);
    this.tiered += rolled.length;
  }

  async backfill({ events }: Extract<AsideStep, { kind: "backfill" }>): Promise<void> {
    const path = join(this.folder, `late-${++this.files}.ndjson`);
    writeFileSync(path, events.map(({ raw }) => JSON.stringify(raw)).join("\n"));
    const { log, ledger } = this.stores;
    const { dedupePartitions, videoShards } = this.options;
    const counting = { dedupePartitions, videoShards, allowedLatenessMs: -1, followCorrections: true };
    const progress = new SqliteLogProgress(log, ledger, ledger);
    const { report } = await backfill(
      [path],
      { ...this.stores, progress, clock: Date.now },
      { allowedLatenessMs: -1, counting, onArchived: () => undefined, onCounted: () => undefined },
    );
    expect(["equal", "repaired"]).toContain(report?.outcome);
  }

  /** Raw events of rolled minutes are gone, so the books alone say how many there were. */
  override async ledger(): Promise<Map<number, LedgerRow>> {
    const books = await this.stores.ledger.books(...ALL_MINUTES);
    const accepted = await this.stores.log.accepted(...ALL_MINUTES);
    return new Map(
      books.map(({ minute, archived, backfilled, counted, duplicate, late, reusedIds }) => [
        minute,
        { accepted: (accepted.get(minute) ?? 0) + backfilled, archived, counted, duplicate, late, reused: reusedIds },
      ]),
    );
  }

  /** The store's cells with those of the roll-ups. Roll-ups do not have the time of a minute's last event. */
  override async outcome(): Promise<Outcome> {
    const outcome = await super.outcome();
    for await (const { videoId, eventType, startMs, count, sum, valued } of this.tieredCells()) {
      const name = `${startMs} ${videoId} ${eventType}`;
      const known = outcome.minutes.get(name) ?? { count: 0, sum: 0n, valued: 0 };
      outcome.minutes.set(name, {
        count: known.count + count,
        sum: known.sum + sum,
        valued: known.valued + valued,
        lastMs: 0,
      });
    }
    return { ...outcome, minutes: withoutLast(outcome.minutes) };
  }

  private tieredCells() {
    return (this.stores.counters as TieredCounters).rolledCells("minute", 0, ALL_MINUTES[1] * MINUTE_MS);
  }
}

const withoutLast = (cells: GoldenCells): GoldenCells =>
  new Map([...cells].map(([name, cell]) => [name, { ...cell, lastMs: Number.NaN }]));

export class TieredRunner implements GoldenRunner {
  readonly name: string;

  constructor(private readonly options: EmbeddedOptions) {
    this.name = `embedded with roll-ups, panes ${options.keepPanes ? "kept" : "not kept"}`;
  }

  async run(script: GoldenScript, folder: string): Promise<Outcome> {
    const stores = await openStores(folder);
    const stream = new TieredStream(stores, this.options, folder);
    try {
      await play(script, stream, (step) => (step.kind === "tier" ? stream.tier(step.nowMs) : stream.backfill(step)));
      expect(stream.tiered).toBeGreaterThan(0);
      return await stream.outcome();
    } finally {
      await stores.close();
      await stream.tiers.close();
    }
  }
}
