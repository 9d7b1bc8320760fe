// SPDX-License-Identifier: Apache-2.0
import type { Bench, Measurement } from "../measurement";
import { beside, inTurn, medianFigure } from "../turns";
import { directGraph } from "./direct";

export const measurement: Measurement = {
  name: "skew",
  title: "Skew: 90 % of the events on one video against all videos alike, direct runner to SQLite, in turn",
  async run(bench: Bench) {
    const events = Math.ceil(bench.parameters.events / 5);
    const counted = (spread: "uniform" | "hot") => async () => {
      const data = { ...bench.data, events, spread };
      const { result } = await bench.task(directGraph, {
        frames: await bench.file("frames", data),
        data,
        store: bench.newFolder(),
      });
      return result;
    };
    const { uniform, hot } = await inTurn(bench.parameters.turns, { uniform: counted("uniform"), hot: counted("hot") });
    const perCpu = (rounds: typeof hot) => rounds.map(({ cpuS }) => events / cpuS);
    const perSecond = (rounds: typeof hot) => rounds.map(({ wallS }) => events / wallS);
    const title = "one video has 90 %";
    const figures = [
      medianFigure("skew/hot-events-per-cpu-s", `${title}: events per CPU-second`, "events/CPU-s", perCpu(hot)),
      medianFigure("skew/hot-ratio", "the same, beside all alike", "x", beside(perCpu(hot), perCpu(uniform))),
      medianFigure("skew/hot-events-per-s", `${title}: events per second`, "events/s", perSecond(hot)),
      medianFigure(
        "skew/hot-wall-ratio",
        "the same, beside all alike",
        "x",
        beside(perSecond(hot), perSecond(uniform)),
      ),
    ];
    return { figures, facts: { uniform: uniform[0]!.digest, hot: hot[0]!.digest } };
  },
};
