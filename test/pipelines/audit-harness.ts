// SPDX-License-Identifier: Apache-2.0
/** A deployment's stores in a folder, an archive that is written by hand, and the strong audit over both. */

import { mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BACKFILL_WRITER } from "../../domain/archive-name";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";
import type { AuditReport } from "../../io/ports";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import { type AuditRange, runAudit } from "../../pipelines/audit/audit";
import { columnsOf } from "../domain/model";
import { archiveObject } from "../io/formats/avro/events";
import type { IngestStores } from "../io/sqlite/emptied-stores";
import { openStores, type Stores } from "../system/golden/embedded-runner";

export class AuditHarness {
  private objects = 0;

  private constructor(
    readonly folder: string,
    readonly stores: Stores,
  ) {}

  /** `shared`: a log and dead letters that somebody else opened and closes. */
  static async open(shared?: IngestStores): Promise<AuditHarness> {
    const folder = mkdtempSync(join(tmpdir(), "viewmill-audit-"));
    return new AuditHarness(folder, await openStores(folder, shared));
  }

  async close(): Promise<void> {
    await this.stores.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Writes one object of events of one minute and lists it; `accepted`: as the messages of a shared log declare. */
  archive(events: readonly VideoEvent[], receivedAtMs = events[0]!.eventTimeMs, accepted?: number): Promise<string> {
    return this.write(`w-${++this.objects}.avro`, events, receivedAtMs, accepted);
  }

  archiveBackfill(events: readonly VideoEvent[]): Promise<string> {
    return this.write(`${BACKFILL_WRITER}-${++this.objects}.avro`, events, events[0]!.eventTimeMs);
  }

  private async write(
    fileName: string,
    events: readonly VideoEvent[],
    receivedAtMs: number,
    accepted?: number,
  ): Promise<string> {
    const minute = minuteOf(events[0]!.eventTimeMs);
    const content = archiveObject(fileName, columnsOf(events), receivedAtMs);
    const { name, sizeBytes } = await this.stores.archive.write(minute, fileName, content);
    const object = { name, minute, events: events.length, sizeBytes, ...(accepted !== undefined && { accepted }) };
    await this.stores.ledger.addObjects([object], [minute]);
    return name;
  }

  audit(
    range: Partial<AuditRange> = {},
    clock = Date.now,
    counters = this.stores.counters,
    ledger = this.stores.ledger,
  ): Promise<AuditReport> {
    const progress = new SqliteLogProgress(this.stores.log, ledger, ledger);
    const asked = { repair: false, allowedLatenessMs: -1, ...range };
    return runAudit({ ...this.stores, counters, ledger, progress, clock }, asked);
  }

  /** Removes an object. */
  async remove(name: string): Promise<void> {
    await rm(join(this.folder, "archive", name));
  }

  /** Damage, behind the store's back. */
  sql(statement: string, ...values: number[]): void {
    const db = new DatabaseSync(join(this.folder, "counters.sqlite"));
    db.prepare(statement).run(...values);
    db.close();
  }

  async auditedMinutes(fromMs: number, toMs: number): Promise<number[]> {
    const [from, to] = [fromMs / MINUTE_MS, toMs / MINUTE_MS];
    return [...(await this.stores.ledger.auditedCounts(from, to, 1)).keys()];
  }
}
