// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from "node:fs";
import type { BigtableConfig } from "../../io/bigtable/config";
import { BigtableReceiptStamps } from "../../io/bigtable/receipt-stamps";
import { createTables } from "../../io/bigtable/tables";
import type { ReceiptStamps } from "../../io/ports";
import { SqliteReceiptStamps } from "../../io/sqlite/receipt-stamps";
import { startBigtableEmulator } from "../../servers/bigtable-emulator";
import { summaryOf } from "../load/latencies";
import type { Bench, Measurement } from "../measurement";
import { type Figure, figure } from "../report";
import { defineTask } from "../task";

type Place = { bigtable: BigtableConfig } | { folder: string };

interface Load {
  place: Place;
  /** Events without a time in a request. */
  events: number;
  requests: number;
  /** Whether another instance has given the stamps already. */
  known: boolean;
}

const hold = defineTask(__filename, "stamps-hold", async ({ place, events, requests, known }: Load) => {
  const open = (): ReceiptStamps =>
    "folder" in place ? new SqliteReceiptStamps(place) : new BigtableReceiptStamps(place.bigtable);
  const stamps = open();
  const nowMs = Date.now();
  const proposed = (request: number) =>
    Array.from({ length: events }, (_, n) => ({
      key: `${events}-${known}-event-${request}-${n}\0video\0VIEW`,
      stampedAtMs: nowMs,
    }));
  const taken: number[] = [];
  let cpuMs = 0;
  for (let request = -1; request < requests; request++) {
    if (known) await stamps.hold(proposed(request));
    const start = performance.now();
    const before = process.cpuUsage();
    await stamps.hold(proposed(request));
    // The first one connects.
    if (request < 0) continue;
    taken.push(performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    cpuMs += (user + system) / 1_000;
  }
  await stamps.close();
  return { ...summaryOf(taken), cpuMs: cpuMs / requests };
});

const SIZES = [
  { events: 1, requests: 300 },
  { events: 100, requests: 30 },
  { events: 1_000, requests: 5 },
] as const;

export const measurement: Measurement = {
  name: "stamps",
  onlyByName: true,
  title: "Receipt stamps: what a request with events without a time waits for",
  async run(bench: Bench) {
    const emulator = await startBigtableEmulator();
    const folder = bench.newFolder();
    mkdirSync(folder, { recursive: true });
    try {
      const config = { projectId: "bench", instanceId: "bench", emulatorHost: emulator.host };
      await createTables(config);
      const figures: Figure[] = [];
      for (const [name, place] of [
        ["bigtable", { bigtable: config }],
        ["sqlite", { folder }],
      ] as const) {
        for (const { events, requests } of SIZES) {
          for (const known of [false, true]) {
            const load = { place, events, requests: bench.parameters.quick ? 2 : requests, known };
            const { result } = await bench.task(hold, load);
            const title = `${name}: ${events} ${known ? "given by another instance" : "new"} stamps, one request`;
            const id = `stamps/${name}-${events}-${known ? "known" : "new"}`;
            figures.push(figure(`${id}-cpu`, `${title}, processor time of the caller`, "CPU-ms", result.cpuMs));
            figures.push(figure(`${id}-p50`, `${title}, p50`, "ms", result.p50Ms));
            figures.push(figure(`${id}-p99`, `${title}, p99`, "ms", result.p99Ms));
          }
        }
      }
      return { figures };
    } finally {
      await emulator.stop();
    }
  },
};
