// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { MINUTE_MS } from "../../domain/rules/time";
import { type FunctionTime, topFunctions } from "../flink/cpu-profile";
import { fillTopic } from "../flink/fill-topic";
import { requireTools, scenarioData, startStack } from "../flink/scenario";
import { type Progress, runViewmill, type ViewmillRun } from "../flink/viewmill-run";
import type { Bench, Measurement } from "../measurement";
import type { FlinkScenario } from "../parameters";
import { atLeast, type Figure, figure } from "../report";
import { mebibytes } from "./hot-path";
import { countFromBatches } from "./naive-count";

/** The time that the job may still take after the producer has ended, before it is given up. */
const DEADLINE_MS = 600_000;
/** Until the job runs, before the first event is due. */
const SUBMITTED_MS = 60_000;
const TOP_FUNCTIONS = 15;
/** The number of events of the naive count: some 150 bytes each. */
const IDS_IN_MEMORY = 8_000_000;
const RATE_GOAL = 200_000;
/** Events a CPU-second of a scenario, beside those of Zipf in the same run. */
const BESIDE_ZIPF: Record<Exclude<FlinkScenario, "zipf">, number> = { hot: 1, late: 0.85 };
const TITLES: Record<FlinkScenario, string> = { zipf: "Zipf", hot: "90 % on one video", late: "1 % late" };

interface Sustained {
  /** Sent, those of the warm-up too. */
  events: number;
  run: ViewmillRun;
  /** The longest delay of the producer. */
  behindMs: number;
  /** See sustainedRate. */
  eventsPerS: number;
  /** From the end of each minute (and its grace) until all its events were in the books. */
  minuteLagsS: number[];
  top?: FunctionTime[];
}

async function sustain(bench: Bench, scenario: FlinkScenario): Promise<Sustained> {
  const { sustainedEventsPerSecond: rate, warmUpMinutes, sustainedMinutes } = bench.parameters;
  const minutes = warmUpMinutes + sustainedMinutes;
  const profiles = bench.profileFolder === undefined ? undefined : join(bench.profileFolder, `flink-${scenario}`);
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
  const events = rate * minutes * 60;
  const stack = await startStack();
  try {
    const data = scenarioData(bench, scenario, { events, minutes, aheadMs: SUBMITTED_MS });
    const frames = await bench.file("frames", data);
    const { brokers } = stack.config.log.kafka;
    const { topic } = stack.config.log;
    let [behindMs, filledFromMs] = [0, data.startMs];
    const run = await runViewmill(stack, data, {
      nodeArgs: profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`],
      deadlineMs: Math.max(0, data.startMs - Date.now()) + minutes * MINUTE_MS + DEADLINE_MS,
      onRunning: async () => {
        // A machine that took too long to get here sends what is overdue at once.
        filledFromMs = Math.max(data.startMs, Date.now());
        ({ behindMs } = (await bench.task(fillTopic, { brokers, topic, frames })).result);
      },
    });
    const passes = Math.ceil(events / IDS_IN_MEMORY);
    const { result: naive } = await bench.task(countFromBatches, { frames, passes });
    if (JSON.stringify(run.digest) !== JSON.stringify(naive.digest))
      throw new Error(`${JSON.stringify(run.digest)} was counted, ${JSON.stringify(naive.digest)} is right`);
    const perMinute = rate * 60;
    const onTimeShare = 1 - (data.lateShare ?? 0);
    const [warmUp, onTime] = [warmUpMinutes * perMinute, events].map((each) => Math.floor(each * onTimeShare));
    const eventsPerS = Math.min(rate, sustainedRate(run.progress, warmUp!, onTime!));
    const minuteLagsS = Array.from({ length: minutes }, (_, minute) => {
      const { atMs } = run.progress.find(({ done }) => done >= Math.floor((minute + 1) * perMinute * onTimeShare))!;
      return (atMs - stack.config.job.graceMs - filledFromMs) / 1_000 - (minute + 1) * 60;
    });
    const top = profiles === undefined ? {} : { top: topFunctions(profiles, TOP_FUNCTIONS) };
    return { events, run, behindMs, eventsPerS, minuteLagsS, ...top };
  } finally {
    await stack.stop();
  }
}

/**
 * Events a second between the time when the first `warmUp` events were in the books and the time when `onTime` were,
 * which is all but the late ones: those wait for others on purpose. Both are the ends of a minute's pane, so the wait
 * for a minute's end is in neither; a job that falls behind has the second one late.
 */
export function sustainedRate(progress: readonly Progress[], warmUp: number, onTime: number): number {
  const [first, last] = [warmUp, onTime].map((events) => progress.find(({ done }) => done >= events)!) as [
    Progress,
    Progress,
  ];
  return (last.done - first.done) / ((last.atMs - first.atMs) / 1_000);
}

function besideZipf(scenario: "hot" | "late", eventsPerCpuS: number, { events, run }: Sustained): Figure {
  const title = `${TITLES[scenario]}: events per CPU-second beside Zipf's`;
  const ratio = eventsPerCpuS / (events / run.cpuS);
  return figure(`flink-sustained/${scenario}-beside-zipf`, title, "x", ratio, { goal: atLeast(BESIDE_ZIPF[scenario]) });
}

function figuresOf(scenario: FlinkScenario, sustained: Sustained, zipf: Sustained | undefined): Figure[] {
  const { events, run, eventsPerS, minuteLagsS } = sustained;
  const title = TITLES[scenario];
  const name = `flink-sustained/${scenario}`;
  const peaks = Object.entries(run.processes).map(([process, { peakRssBytes }]) =>
    figure(`${name}-peak-rss/${process}`, `${title}: peak memory of ${process}`, "MiB", mebibytes(peakRssBytes)),
  );
  const { completed, failed, averageMs } = run.checkpoints;
  return [
    figure(`${name}-events-per-s`, `${title}: events per second, counted`, "events/s", eventsPerS, {
      ...(scenario === "zipf" ? { goal: atLeast(RATE_GOAL) } : {}),
    }),
    ...minuteLagsS.map((lagS, minute) =>
      figure(`${name}-lag-${minute + 1}`, `${title}: minute ${minute + 1} whole, after its end`, "s", lagS),
    ),
    figure(`${name}-events-per-cpu-s`, `${title}: events per CPU-second`, "events/CPU-s", events / run.cpuS),
    ...(scenario === "zipf" || zipf === undefined ? [] : [besideZipf(scenario, events / run.cpuS, zipf)]),
    figure(`${name}-checkpoints`, `${title}: checkpoints completed`, "", completed),
    figure(`${name}-checkpoints-failed`, `${title}: checkpoints failed`, "", failed),
    figure(`${name}-checkpoint`, `${title}: a checkpoint on average`, "ms", averageMs),
    ...peaks,
  ];
}

export const measurement: Measurement = {
  name: "flink-sustained",
  title: "Flink, Kafka to Bigtable: Viewmill's job under a steady stream",
  onlyByName: true,
  async run(bench: Bench) {
    requireTools();
    const figures: Figure[] = [];
    const facts: Record<string, Sustained> = {};
    for (const scenario of bench.parameters.flinkScenarios) {
      const sustained = await sustain(bench, scenario);
      facts[scenario] = sustained;
      figures.push(...figuresOf(scenario, sustained, facts.zipf));
    }
    return { figures, facts };
  },
};
