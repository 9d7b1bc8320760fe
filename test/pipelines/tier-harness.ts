// SPDX-License-Identifier: Apache-2.0
/** An embedded deployment's stores, months old, whose minutes and hours are rolled up by a clock of the test. */
import { mkdtempSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import { DirectoryRollUps } from "../../io/directory/roll-up-folder";
import type { AuditReport, Cell, Granularity } from "../../io/ports";
import { SqliteCellTiers } from "../../io/sqlite/cell-tiers";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import { TieredCounters } from "../../io/tiers/tiered-counters";
import { runAudit } from "../../pipelines/audit/audit";
import { packAudited } from "../../pipelines/tier/pack-archive";
import { rollUpAll, type TierDependencies } from "../../pipelines/tier/roll-up";
import { asMinuteCounts } from "../contracts/counter-model";
import { columnsOf, modelCells } from "../domain/model";
import { openStores, type Stores } from "../golden/embedded-runner";
import { archiveObject } from "../io/formats/avro/events";

export const RETENTION = { minutesMs: 32 * DAY_MS, hoursMs: 100 * DAY_MS };

export class TierHarness {
  nowMs = Date.parse("2026-11-29T00:00:00Z");
  stores!: Stores;
  tiers!: SqliteCellTiers;
  counters!: TieredCounters;
  private objects = 0;
  private isOpen = false;

  private constructor(readonly folder: string) {}

  /** Over the files of a folder, or over none. */
  static async open(folder = mkdtempSync(join(tmpdir(), "viewmill-tier-"))): Promise<TierHarness> {
    const harness = new TierHarness(folder);
    await harness.reopen();
    return harness;
  }

  /** Starts as a new process does: from the files alone. */
  async reopen(): Promise<void> {
    await this.shut();
    this.isOpen = true;
    this.stores = await openStores(this.folder);
    this.tiers = new SqliteCellTiers({ folder: this.folder });
    this.counters = new TieredCounters({
      store: this.stores.counters,
      tiers: this.tiers,
      folder: this.rollUps,
      clock: () => this.nowMs,
      youngestMs: RETENTION.minutesMs / 2,
    });
  }

  get rollUps(): DirectoryRollUps {
    return new DirectoryRollUps({ folder: join(this.folder, "rollups") });
  }

  /** The files stay. */
  async shut(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await this.stores.close();
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
      const seconds = (writtenAtMs ?? minute * MINUTE_MS) / 1000;
      utimesSync(join(this.folder, "archive", name), seconds, seconds);
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
    const progress = new SqliteLogProgress(this.stores.log, this.stores.ledger, this.stores.ledger);
    const deps = { ...this.stores, counters: this.counters, progress, clock: () => this.nowMs };
    return runAudit(deps, { repair, allowedLatenessMs: -1, fromMs, toMs });
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
