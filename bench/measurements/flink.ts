// SPDX-License-Identifier: Apache-2.0
import { allowedLatenessMs } from "../../cli/deployment/deployment";
import type { ClusterStack } from "../../demo/cluster-stack";
import type { CountsDigest } from "../data/counts-digest";
import { fillTopic } from "../flink/fill-topic";
import { CLUSTER, type JobRun, runNative } from "../flink/native-run";
import { overAtMs, requireTools, scenarioData, startStack, TASK_MANAGER } from "../flink/scenario";
import { runViewmill } from "../flink/viewmill-run";
import type { Bench, Measurement } from "../measurement";
import type { FlinkScenario } from "../parameters";
import { atLeast, type Figure, figure } from "../report";
import { mebibytes } from "./hot-path";
import { countFromBatches } from "./naive-count";

const AHEAD_MS = 2_000;
const HEAP_GOAL = 2.5;
const ROCKSDB_GOAL = 5;
/** No job is given longer for its topic than at this pace, and then these minutes. */
const LEAST_EVENTS_A_SECOND = 5_000;
const DEADLINE_MS = 300_000;

interface Compared {
  viewmill: JobRun;
  heap: JobRun;
  rocksdb: JobRun;
  expected: CountsDigest;
}

/** One topic, counted by three jobs one after the other, each on a Flink cluster that was started for it. */
async function compare(bench: Bench, scenario: FlinkScenario): Promise<Compared> {
  const { flinkEvents, flinkMinutes, flinkSameJvm } = bench.parameters;
  const stack = await startStack(flinkSameJvm);
  try {
    const data = scenarioData(bench, scenario, { events: flinkEvents, minutes: flinkMinutes, aheadMs: AHEAD_MS });
    const frames = await bench.file("frames", data);
    const { brokers } = stack.config.log.kafka;
    const { topic } = stack.config.log;
    await bench.task(fillTopic, { brokers, topic, frames });
    const { result: naive } = await bench.task(countFromBatches, { frames });
    await until(overAtMs(data, stack.config.job.graceMs));
    const deadlineMs = DEADLINE_MS + (flinkEvents / LEAST_EVENTS_A_SECOND) * 1_000;
    const viewmill = await runViewmill(stack, data, { deadlineMs });
    await stopProcessing(stack);
    const heap = await native(stack, false, deadlineMs);
    const rocksdb = await native(stack, true, deadlineMs);
    return { viewmill, heap, rocksdb, expected: naive.digest };
  } finally {
    await stack.stop();
  }
}

/** Only the broker stays: nothing of one job takes time from the next. */
async function stopProcessing({ servers }: ClusterStack): Promise<void> {
  const { flink, jobServer, expansion, bigtable, bigtableProxy, gcs } = servers;
  await Promise.all([flink, jobServer, expansion, bigtable, bigtableProxy, gcs].map((server) => server.stop()));
}

function native({ config }: ClusterStack, rocksdb: boolean, deadlineMs: number): Promise<JobRun> {
  const { taskManagerMemoryMb, managedForHeapMb, managedForRocksdbMb } = TASK_MANAGER;
  const managedMemoryMb = rocksdb ? managedForRocksdbMb : managedForHeapMb;
  const input = {
    brokers: config.log.kafka.brokers,
    topic: config.log.topic,
    allowedLatenessMs: allowedLatenessMs(config),
    graceMs: config.job.graceMs,
    lateFiringMs: config.job.lateFiringMs,
  };
  return runNative(input, { ...CLUSTER, fast: true, rocksdb, taskManagerMemoryMb, managedMemoryMb }, deadlineMs);
}

const until = (timeMs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, timeMs - Date.now())));

/** A wrong job is no comparison: rejects unless all three counted what the independent count says. */
function checkEqual(scenario: FlinkScenario, { expected, ...runs }: Compared): void {
  for (const [name, { digest }] of Object.entries(runs)) {
    if (JSON.stringify(digest) === JSON.stringify(expected)) continue;
    throw new Error(
      `${scenario}: ${name} counted ${JSON.stringify(digest)} where an independent count has ${JSON.stringify(expected)}`,
    );
  }
}

const totalPeakMib = ({ processes }: JobRun): number =>
  mebibytes(Object.values(processes).reduce((sum, { peakRssBytes }) => sum + peakRssBytes, 0));

function figuresOf(scenario: FlinkScenario, title: string, events: number, compared: Compared): Figure[] {
  const { viewmill, heap, rocksdb } = compared;
  const perCpu = ({ cpuS }: JobRun) => events / cpuS;
  const perS = ({ wallS }: JobRun) => events / wallS;
  const both = (of: (run: JobRun) => number) => ({ "native, heap": of(heap), "native, RocksDB": of(rocksdb) });
  const ratio = (name: string, against: string, run: JobRun, goal: number) =>
    figure(
      `flink/${scenario}-ratio-${name}`,
      `${title}: events per CPU-second, Viewmill / native on ${against}`,
      "x",
      perCpu(viewmill) / perCpu(run),
      scenario === "zipf" ? { goal: atLeast(goal) } : {},
    );
  return [
    figure(`flink/${scenario}-events-per-cpu-s`, `${title}: events per CPU-second`, "events/CPU-s", perCpu(viewmill), {
      baselines: both(perCpu),
    }),
    ratio("heap", "the heap", heap, HEAP_GOAL),
    ratio("rocksdb", "RocksDB", rocksdb, ROCKSDB_GOAL),
    figure(`flink/${scenario}-events-per-s`, `${title}: events per second`, "events/s", perS(viewmill), {
      baselines: both(perS),
    }),
    figure(`flink/${scenario}-peak-rss`, `${title}: peak memory of all processes`, "MiB", totalPeakMib(viewmill), {
      baselines: both(totalPeakMib),
    }),
  ];
}

const TITLES: Record<FlinkScenario, string> = {
  zipf: "Zipf",
  hot: "90 % on one video",
  late: "1 % late",
};

export const measurement: Measurement = {
  name: "flink",
  title: "Flink, Kafka to counts: Viewmill's job beside the same job by hand in Java",
  onlyByName: true,
  async run(bench: Bench) {
    requireTools();
    const { flinkEvents, flinkScenarios } = bench.parameters;
    const figures: Figure[] = [];
    const facts: Record<string, Compared> = {};
    for (const scenario of flinkScenarios) {
      const compared = await compare(bench, scenario);
      facts[scenario] = compared;
      checkEqual(scenario, compared);
      figures.push(...figuresOf(scenario, TITLES[scenario], flinkEvents, compared));
    }
    return { figures, facts };
  },
};
