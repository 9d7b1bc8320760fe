// SPDX-License-Identifier: Apache-2.0
import { minuteOf } from "../../domain/event";
import { withdrawResource } from "../../engine";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import { runAudit } from "../../pipelines/audit/audit";
import { RESOURCES } from "../../transforms/resource-names";
import { type DataParameters, readFrames } from "../data/data-files";
import type { Bench, Measurement } from "../measurement";
import { atLeast, figure } from "../report";
import { defineTask, timed } from "../task";
import { storedDigest } from "./direct";
import { mebibytes } from "./hot-path";
import { openStream } from "./stored-stream";

interface AuditedRange {
  folder: string;
  fromMs?: number;
  toMs?: number;
}

const storeEvents = defineTask(
  __filename,
  "store-events",
  async ({ frames, folder, data }: { frames: string; folder: string; data: DataParameters }) => {
    const stream = await openStream(folder);
    await stream.append(readFrames(frames));
    await stream.count();
    const first = minuteOf(data.startMs);
    return storedDigest(stream.deps.counters, first, first + data.minutes);
  },
);

/** Audits a range, or all there is. */
export const audit = defineTask(__filename, "audit", async ({ folder, fromMs, toMs }: AuditedRange) => {
  const { deps } = await openStream(folder);
  // The audit provides its own resources.
  for (const name of Object.values(RESOURCES)) withdrawResource(name);
  const { value, wallS, cpuS } = await timed(() =>
    runAudit(
      { ...deps, progress: new SqliteLogProgress(deps.log, deps.ledger, deps.ledger), clock: Date.now },
      {
        ...{ repair: false, allowedLatenessMs: -1 },
        ...(fromMs === undefined ? {} : { fromMs }),
        ...(toMs === undefined ? {} : { toMs }),
      },
    ),
  );
  const { outcome, events, distinctEvents, cellsCompared, cellsDiffering } = value;
  return { outcome, events, distinctEvents, cellsCompared, cellsDiffering, wallS, cpuS };
});

export const measurement: Measurement = {
  name: "audit",
  title: "Strong audit: every cell of every level recounted from the archive and compared",
  async run(bench: Bench) {
    const data = { ...bench.data, events: bench.parameters.auditEvents };
    const folder = bench.newFolder();
    const { result: stored } = await bench.task(storeEvents, {
      frames: await bench.file("frames", data),
      folder,
      data,
    });
    const { result, usage } = await bench.task(audit, { folder });
    if (result.outcome !== "equal" || result.distinctEvents !== stored.count) {
      throw new Error(`the audit does not agree with what was stored: ${JSON.stringify({ result, stored })}`);
    }
    const figures = [
      figure("audit/events-per-s", "events per second", "events/s", result.events / result.wallS, {
        goal: atLeast(100_000),
      }),
      figure("audit/events-per-cpu-s", "events per CPU-second", "events/CPU-s", result.events / result.cpuS),
      figure("audit/peak-rss", "peak memory", "MiB", mebibytes(usage.peakRssBytes)),
    ];
    return { figures, facts: { audit: result, stored } };
  },
};
