// SPDX-License-Identifier: Apache-2.0
import type { Bench, Measurement } from "../measurement";
import { figure } from "../report";
import { directGraph } from "./direct";

export const measurement: Measurement = {
  name: "skew",
  title: "Skew: 90 % of the events on one video against all videos alike, direct runner to SQLite",
  async run(bench: Bench) {
    const events = Math.ceil(bench.parameters.events / 5);
    const counted = async (spread: "uniform" | "hot") => {
      const data = { ...bench.data, events, spread };
      const { result } = await bench.task(directGraph, {
        frames: await bench.file("frames", data),
        data,
        store: bench.newFolder(),
      });
      return result;
    };
    const uniform = await counted("uniform");
    const hot = await counted("hot");
    const figures = [
      figure(
        "skew/hot-events-per-cpu-s",
        "one video has 90 %: events per CPU-second",
        "events/CPU-s",
        events / hot.cpuS,
        {
          baselines: { uniform: events / uniform.cpuS },
        },
      ),
      figure("skew/hot-events-per-s", "one video has 90 %: events per second", "events/s", events / hot.wallS, {
        baselines: { uniform: events / uniform.wallS },
      }),
    ];
    return { figures, facts: { uniform: uniform.digest, hot: hot.digest } };
  },
};
