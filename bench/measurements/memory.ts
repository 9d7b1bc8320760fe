// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../../domain/rules/time";
import { BATCH_CONTENT_TYPE } from "../../intake/take-batch";
import { pauseUntil } from "../load/latencies";
import { sendBodies } from "../load/send-bodies";
import { processTree, startService } from "../load/service";
import type { Bench, Measurement } from "../measurement";
import { below, figure } from "../report";
import { mebibytes } from "./hot-path";

const SAMPLE_MS = 5_000;
const GOAL_MIB = 450;
/** The last quarter's peak may exceed the previous quarter's by at most 5 %. */
const GROWTH_GOAL = 1.05;

/**
 * Memory of all processes of a service that takes a moderate load for minutes: memory must not grow while the load
 * stays constant.
 */
export const measurement: Measurement = {
  name: "memory",
  title: "Memory of all processes under a steady load",
  onlyByName: true,
  async run(bench: Bench) {
    const { memoryEventsPerSecond, memoryMinutes, batchEvents, connections, seed } = bench.parameters;
    const events = memoryEventsPerSecond * memoryMinutes * 60;
    const live = { ...bench.data, events, minutes: memoryMinutes, startMs: Date.now() + 5_000, seed: seed + 7 };
    const bodies = await bench.file("frames", live);
    const service = await startService(bench.newFolder());
    const samples: number[] = [];
    const shared: number[] = [];
    const parts: Record<string, number>[] = [];
    let sending = true;
    const sample = async () => {
      while (sending) {
        const processes = processTree(service.pid);
        samples.push(processes.reduce((sum, { rssBytes }) => sum + rssBytes, 0));
        shared.push(processes.reduce((sum, { pssBytes }) => sum + pssBytes, 0));
        parts.push(
          Object.fromEntries(processes.map(({ command, rssBytes }) => [command, Math.round(mebibytes(rssBytes))])),
        );
        await pauseUntil(performance.now() + SAMPLE_MS);
      }
    };
    try {
      const sampling = sample();
      const bodiesPerSecond = memoryEventsPerSecond / batchEvents;
      const headers = { "Content-Type": BATCH_CONTENT_TYPE };
      await bench.task(sendBodies, { url: service.url, bodies, headers, connections, bodiesPerSecond });
      sending = false;
      await sampling;
    } finally {
      await service.stop();
    }
    const quarter = Math.max(1, Math.floor(samples.length / 4));
    const most = (from: number, to?: number) => Math.max(...samples.slice(from, to));
    const [before, last] = [most(-2 * quarter, -quarter), most(-quarter)];
    const at = `at ${memoryEventsPerSecond.toLocaleString("en-US")} events/s`;
    const figures = [
      figure("memory/last", `most in the last quarter of ${memoryMinutes} minutes ${at}`, "MiB", mebibytes(last), {
        goal: below(GOAL_MIB),
      }),
      figure(
        "memory/pss",
        "the same, a shared page counted once",
        "MiB",
        mebibytes(Math.max(...shared.slice(-quarter))),
      ),
      figure("memory/growth", "the same, beside the quarter before", "x", last / before, { goal: below(GROWTH_GOAL) }),
    ];
    const everyMinute = parts.filter((_, at) => at % (MINUTE_MS / SAMPLE_MS) === 0);
    return { figures, facts: { mebibytesByMinute: everyMinute } };
  },
};
