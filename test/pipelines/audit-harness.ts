/** A deployment's stores in a folder, an archive that is written by hand, and the strong audit over both. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MINUTE_MS, minuteOf, type VideoEvent } from "../../domain/event";
import type { AuditReport } from "../../io/ports";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import { type AuditRange, runAudit } from "../../pipelines/audit/audit";
import { archiveObject } from "../avro/events";
import { columnsOf } from "../domain/model";
import { openStores, type Stores } from "../golden/embedded-runner";

export class AuditHarness {
  private objects = 0;

  private constructor(
    readonly folder: string,
    readonly stores: Stores,
  ) {}

  static async open(): Promise<AuditHarness> {
    const folder = mkdtempSync(join(tmpdir(), "viewmill-audit-"));
    return new AuditHarness(folder, await openStores(folder));
  }

  async close(): Promise<void> {
    await this.stores.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Writes one object of events of one minute and lists it. */
  async archive(events: readonly VideoEvent[], receivedAtMs = events[0]!.eventTimeMs): Promise<string> {
    const minute = minuteOf(events[0]!.eventTimeMs);
    const fileName = `w-${++this.objects}.avro`;
    const content = archiveObject(fileName, columnsOf(events), receivedAtMs);
    const { name, sizeBytes } = await this.stores.archive.write(minute, fileName, content);
    await this.stores.state.addObjects([{ name, minute, events: events.length, sizeBytes }], [minute]);
    return name;
  }

  audit(range: Partial<AuditRange> = {}, clock = Date.now): Promise<AuditReport> {
    const progress = new SqliteLogProgress(this.stores.log, this.stores.state, this.stores.state);
    const asked = { repair: false, allowedLatenessMs: -1, ...range };
    return runAudit({ ...this.stores, progress, clock }, asked);
  }

  async auditedMinutes(fromMs: number, toMs: number): Promise<number[]> {
    const [from, to] = [fromMs / MINUTE_MS, toMs / MINUTE_MS];
    return [...(await this.stores.state.auditedCounts(from, to, 1)).keys()];
  }
}
