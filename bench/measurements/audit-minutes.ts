// SPDX-License-Identifier: Apache-2.0
/** The cost of an audit over minutes with few events: many small objects, over two days. */
import { minuteOf } from "../../domain/event";
import type { Bench, Measurement } from "../measurement";
import { figure } from "../report";
import { defineTask } from "../task";
import { archiveMinute, auditFolder, openStores, START_MS, storeCounted } from "./audit-growth";
import { mebibytes } from "./hot-path";

interface Filled {
  folder: string;
  hours: number;
  /** Objects of an hour, each in a minute of its own. */
  objects: number;
  /** Events of an object. */
  events: number;
}

const fillHours = defineTask(__filename, "fill-hours", async ({ folder, hours, objects, events }: Filled) => {
  const stores = openStores(folder);
  const first = minuteOf(START_MS);
  for (let n = 0; n < hours * objects; n++) {
    const minute = first + Math.floor(n / objects) * 60 + (n % objects);
    await archiveMinute(stores, minute, events, 1_000);
    await storeCounted(stores, minute);
  }
  await stores.counters.close();
});

export const measurement: Measurement = {
  name: "audit-minutes",
  title: "Audit of two days of minutes with ten events each",
  onlyByName: true,
  async run(bench: Bench) {
    const hours = bench.parameters.quick ? 4 : 49;
    const size = { hours, objects: 54, events: 10 };
    const folder = bench.newFolder();
    await bench.task(fillHours, { folder, ...size });
    const { result, usage } = await bench.task(auditFolder, { folder, hours });
    if (result.outcome !== "equal" || result.events !== hours * size.objects * size.events)
      throw new Error(`the audit finds something else: ${JSON.stringify(result)}`);
    const figures = [
      figure("audit-minutes/cpu", "the whole audit", "CPU-s", result.cpuS),
      figure("audit-minutes/minute", "each minute", "CPU-ms", (result.cpuS * 1_000) / (hours * size.objects)),
      figure("audit-minutes/rss", "peak memory", "MiB", mebibytes(usage.peakRssBytes)),
    ];
    return { figures, facts: { size, audit: result } };
  },
};
