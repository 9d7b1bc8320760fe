// SPDX-License-Identifier: Apache-2.0
import { pauseUntil } from "../load/latencies";
import { processTree, startService } from "../load/service";
import type { Bench, Measurement } from "../measurement";
import { below, figure } from "../report";
import { mebibytes } from "./hot-path";

const GOAL_MIB = 250_000_000 / 2 ** 20;

export const measurement: Measurement = {
  name: "idle",
  title: "Memory of the idle service, all its processes",
  async run(bench: Bench) {
    const { idleSeconds } = bench.parameters;
    const started = performance.now();
    const service = await startService(bench.newFolder());
    const startS = (performance.now() - started) / 1_000;
    try {
      await pauseUntil(performance.now() + idleSeconds * 1_000);
      const processes = processTree(service.pid);
      const before = processes.reduce((sum, { cpuS }) => sum + cpuS, 0);
      await pauseUntil(performance.now() + idleSeconds * 1_000);
      const after = processTree(service.pid).reduce((sum, { cpuS }) => sum + cpuS, 0);
      const rss = processes.reduce((sum, { rssBytes }) => sum + rssBytes, 0);
      const pss = processes.reduce((sum, { pssBytes }) => sum + pssBytes, 0);
      const figures = [
        figure("idle/rss", `resident memory ${idleSeconds} s after the start`, "MiB", mebibytes(rss), {
          goal: below(GOAL_MIB),
        }),
        figure("idle/pss", "the same, a shared page counted once", "MiB", mebibytes(pss)),
        figure("idle/start", "start until it listens", "s", startS),
        figure("idle/cpu", "CPU it takes with nothing to do", "% of a core", ((after - before) / idleSeconds) * 100),
      ];
      return { figures, facts: { processes } };
    } finally {
      await service.stop();
    }
  },
};
