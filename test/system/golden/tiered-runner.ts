// SPDX-License-Identifier: Apache-2.0
/** The embedded stream with roll-ups, over days of a script that are past their retention. */
import { join } from "node:path";
import { DirectoryRollUps } from "../../../io/directory/roll-up-folder";
import { SqliteCellTiers } from "../../../io/sqlite/cell-tiers";
import { SqliteLogProgress } from "../../../io/sqlite/log-progress";
import { TieredCounters } from "../../../io/tiers/tiered-counters";
import { type EmbeddedOptions, EmbeddedStream, openStores, play, type Stores } from "./embedded-runner";
import type { GoldenRunner, Outcome } from "./outcome";
import type { AsideStep, GoldenScript, LedgerRow } from "./script";
import { backfillEvents, tierDays, withRolledCells } from "./tiering";

const ALL_MINUTES = [0, 2 ** 40] as const;

class TieredStream extends EmbeddedStream {
  tiered = 0;
  readonly tiers: SqliteCellTiers;
  readonly rollUps: DirectoryRollUps;
  readonly store: Stores["counters"];

  constructor(
    stores: Stores,
    options: EmbeddedOptions,
    allowedLatenessMs: number,
    private readonly folder: string,
  ) {
    const tiers = new SqliteCellTiers({ folder });
    const rollUps = new DirectoryRollUps({ folder: join(folder, "rollups") });
    const read = { tiers, folder: rollUps, clock: Date.now, youngestMs: Number.NEGATIVE_INFINITY };
    super({ ...stores, counters: new TieredCounters({ store: stores.counters, ...read }) }, options, allowedLatenessMs);
    this.tiers = tiers;
    this.rollUps = rollUps;
    this.store = stores.counters;
  }

  async aside(step: AsideStep): Promise<void> {
    const { archive, log, ledger } = this.stores;
    if (step.kind === "tier") {
      const stores = { counters: this.store, tiers: this.tiers, folder: this.rollUps, archive, ledger };
      this.tiered += await tierDays(stores, step.nowMs);
      return;
    }
    const progress = new SqliteLogProgress(log, ledger, ledger);
    const { options: spread, allowedLatenessMs } = this;
    await backfillEvents(
      step,
      this.folder,
      { ...this.stores, progress, clock: Date.now },
      { spread, allowedLatenessMs },
    );
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

  override async outcome(): Promise<Outcome> {
    const outcome = await super.outcome();
    return { ...outcome, minutes: await withRolledCells(outcome.minutes, this.stores.counters) };
  }
}

export class TieredRunner implements GoldenRunner {
  readonly name: string;

  constructor(private readonly options: EmbeddedOptions) {
    this.name = `embedded with roll-ups, panes ${options.keepPanes ? "kept" : "not kept"}`;
  }

  async run(script: GoldenScript, folder: string): Promise<Outcome> {
    const stores = await openStores(folder);
    const stream = new TieredStream(stores, this.options, script.allowedLatenessMs, folder);
    try {
      await play(script, stream, (step) => stream.aside(step));
      expect(stream.tiered).toBeGreaterThan(0);
      return await stream.outcome();
    } finally {
      await stores.close();
      await stream.tiers.close();
    }
  }
}
