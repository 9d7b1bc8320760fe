// SPDX-License-Identifier: Apache-2.0
/** Stores that are months old, whose minutes and hours are rolled up by a clock of the test. */
import { mkdtempSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import { DirectoryRollUps } from "../../io/directory/roll-up-folder";
import type { AuditReport, Cell, CellTiers, Granularity, Ledger, RollUpFolder } from "../../io/ports";
import { SqliteCellTiers } from "../../io/sqlite/cell-tiers";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import { TieredCounters } from "../../io/tiers/tiered-counters";
import { auditTotals, runAudit } from "../../pipelines/audit/audit";
import { packAudited } from "../../pipelines/tier/pack-archive";
import { rollUpAll, type TierDependencies } from "../../pipelines/tier/roll-up";
import { columnsOf, modelCells } from "../domain/model";
import { archiveObject } from "../io/formats/avro/events";
import { asMinuteCounts } from "../io/ports/counter-model";
import { openStores, type Stores } from "../system/golden/embedded-runner";

export const RETENTION = { minutesMs: 32 * DAY_MS, hoursMs: 100 * DAY_MS };

export type TierStores = Omit<Stores, "ledger"> & { ledger: Ledger };

export interface OpenedGround {
  stores: TierStores;
  tiers: CellTiers & { close(): Promise<void> };
  rollUps: RollUpFolder;
  /** Makes an object of the archive as old as if it had been written then. */
  date(name: string, writtenAtMs: number): void;
}

/** Where counters, ledger, archive and roll-ups are. Other files of the deployment are in the folder. */
export interface TierGround {
  open(embedded: Stores, folder: string, clock: () => number): Promise<OpenedGround>;
}

/** Everything in the folder. */
export const EMBEDDED: TierGround = {
  open: async (stores, folder) => ({
    stores,
    tiers: new SqliteCellTiers({ folder }),
    rollUps: new DirectoryRollUps({ folder: join(folder, "rollups") }),
    date: (name, writtenAtMs) => utimesSync(join(folder, "archive", name), writtenAtMs / 1000, writtenAtMs / 1000),
  }),
};

export class TierHarness {
  nowMs = Date.parse("2026-11-29T00:00:00Z");
  /** The stores of one machine, which have the log and its position on every ground. */
  embedded!: Stores;
  stores!: TierStores;
  tiers!: OpenedGround["tiers"];
  rollUps!: RollUpFolder;
  counters!: TieredCounters;
  private date!: OpenedGround["date"];
  private objects = 0;
  private isOpen = false;

  private constructor(
    readonly folder: string,
    private readonly ground: TierGround,
  ) {}

  /** Over the files of a folder, or over none. */
  static async open(
    folder = mkdtempSync(join(tmpdir(), "viewmill-tier-")),
    ground: TierGround = EMBEDDED,
  ): Promise<TierHarness> {
    const harness = new TierHarness(folder, ground);
    await harness.reopen();
    return harness;
  }

  /** Starts as a new process does: from the files alone. */
  async reopen(): Promise<void> {
    await this.shut();
    this.isOpen = true;
    this.embedded = await openStores(this.folder);
    const opened = await this.ground.open(this.embedded, this.folder, () => this.nowMs);
    this.stores = opened.stores;
    this.tiers = opened.tiers;
    this.rollUps = opened.rollUps;
    this.date = opened.date;
    this.counters = new TieredCounters({
      store: this.stores.counters,
      tiers: this.tiers,
      folder: this.rollUps,
      clock: () => this.nowMs,
      youngestMs: RETENTION.minutesMs / 2,
    });
  }

  /** The files stay. */
  async shut(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await this.stores.close();
    if (this.stores !== this.embedded) await this.embedded.close();
    await this.tiers.close();
  }

  async close(): Promise<void> {
    await this.shut();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Archives and lists events, each minute an object, written when it happened or at `writtenAtMs`. */
  async archive(events: readonly VideoEvent[], writtenAtMs?: number): Promise<void> {
    const byMinute = new Map<number, VideoEvent[]>();
    for (const event of events) {
      const minute = minuteOf(event.eventTimeMs);
      byMinute.set(minute, [...(byMinute.get(minute) ?? []), event]);
    }
    for (const [minute, own] of byMinute) {
      const fileName = `w-${++this.objects}.avro`;
      const content = archiveObject(fileName, columnsOf(own), minute * MINUTE_MS);
      const { name, sizeBytes } = await this.stores.archive.write(minute, fileName, content);
      this.date(name, writtenAtMs ?? minute * MINUTE_MS);
      await this.stores.ledger.addObjects([{ name, minute, events: own.length, sizeBytes }], [minute]);
    }
  }

  /** Archives events and counts them. */
  async count(events: readonly VideoEvent[]): Promise<void> {
    await this.archive(events);
    await this.countOnly(events);
  }

  async countOnly(events: readonly VideoEvent[]): Promise<void> {
    const cells = [...modelCells(events)].map(([name, { lastMs: last, ...cell }]) => {
      const [minute, video, type] = name.split(" ") as [string, string, string];
      return { ...cell, minute: Number(minute), video, type, last, correction: 0 };
    });
    await this.stores.counters.apply(asMinuteCounts(cells), { finalBeforeMinute: this.nowMs / MINUTE_MS });
  }

  audit(repair = true, fromMs?: number, toMs?: number): Promise<AuditReport> {
    const deps = { ...this.stores, counters: this.counters, progress: this.progress, clock: () => this.nowMs };
    return runAudit(deps, { repair, allowedLatenessMs: -1, fromMs, toMs });
  }

  /** The daily check of totals and roll-ups. */
  auditTotals(repair = true): Promise<AuditReport> {
    return auditTotals({ ...this.stores, counters: this.counters, clock: () => this.nowMs }, { repair });
  }

  get progress(): SqliteLogProgress {
    return new SqliteLogProgress(this.embedded.log, this.embedded.ledger, this.stores.ledger);
  }

  /** Parts of few cells, so that a range has several. */
  tier(onStep?: TierDependencies["onStep"], cellsAPart = 40, retention = RETENTION) {
    const { archive, ledger, counters } = this.stores;
    const deps = { counters, tiers: this.tiers, folder: this.rollUps, archive, ledger, clock: () => this.nowMs };
    return rollUpAll({ ...deps, ...(onStep && { onStep }) }, { ...retention, cellsAPart });
  }

  pack() {
    const { archive, ledger } = this.stores;
    return packAudited({ archive, ledger, clock: () => this.nowMs });
  }

  /** Every cell of a range as it is read, with its source left out. */
  async cells(
    videos: readonly string[],
    types: readonly string[],
    granularity: Granularity,
    fromMs: number,
    toMs: number,
  ): Promise<Record<string, Omit<Cell, "source">[]>> {
    const found: Record<string, Omit<Cell, "source">[]> = {};
    for (const video of videos) {
      for (const type of types) {
        const cells = await this.counters.read(video, type, fromMs, toMs, granularity);
        found[`${video} ${type}`] = cells.map(({ source: _, ...cell }) => cell);
      }
    }
    return found;
  }
}
