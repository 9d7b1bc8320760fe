// SPDX-License-Identifier: Apache-2.0
/** What a run of the benchmark measures, and how much of it. `npm run bench` fills the parameters from its flags. */

/** The measurements of a run, and their sizes. They are part of the report, so that two runs can be compared. */
export interface BenchParameters {
  quick: boolean;
  seed: number;
  /** The events of the computing measurements: hot path, direct, DuckDB, skew. */
  events: number;
  videos: number;
  minutes: number;
  repeatShare: number;
  /** Share of the events that carry a value. */
  valueShare: number;
  batchEvents: number;
  /** Sent as fast as the service takes them. */
  ingestBatchEvents: number;
  ingestJsonEvents: number;
  connections: number;
  /** Reads of one total that everybody asks for. */
  singleRequests: number;
  /**
   * Requests of one event, and of one total, to each server in turn: before the first round, then in each round before
   * its clock runs, and those that are measured.
   */
  httpRounds: number;
  httpWarmUpRequests: number;
  httpLeadInRequests: number;
  httpRoundRequests: number;
  singleConnections: number;
  /** Rounds in which a computation and its peers take turns, each a process of its own. */
  turns: number;
  /** The steady load that reads and freshness are measured under. */
  steadyEventsPerSecond: number;
  steadySeconds: number;
  readsPerSecond: number;
  liveClients: number;
  manyLiveClients: number;
  freshnessProbes: number;
  /** Quiet before the light probes: after a burst the stream rests as long as its last pass took. */
  settleSeconds: number;
  heavyMinuteEvents: number;
  auditEvents: number;
  /** Of answers: videos that are ranked, and how many of them each hour of the last month has. */
  rankedVideos: number;
  rankedCellsAnHour: number;
  mixedReadsPerSecond: number;
  mixedEventsPerSecond: number;
  mixedSeconds: number;
  idleSeconds: number;
  /** The events of the larger of two runs. */
  growthEvents: number;
  growthDays: number;
  memoryEventsPerSecond: number;
  memoryMinutes: number;
  /** Events of each topic that the Flink jobs count, and the minutes in which they come. */
  flinkEvents: number;
  flinkMinutes: number;
  /** The topics: all videos by Zipf's distribution, 90 % on one video, 1 % late. */
  flinkScenarios: readonly FlinkScenario[];
  /** TaskManagers of Viewmill's job have the Java options of the native job's, not those that are better for it. */
  flinkSameJvm: boolean;
  sustainedEventsPerSecond: number;
  /** Not measured: Java compiles its code as it learns what is used. */
  warmUpMinutes: number;
  sustainedMinutes: number;
}

export const FLINK_SCENARIOS = ["zipf", "hot", "late"] as const;
export type FlinkScenario = (typeof FLINK_SCENARIOS)[number];

const FULL: BenchParameters = {
  quick: false,
  seed: 1,
  events: 5_000_000,
  videos: 100_000,
  minutes: 10,
  repeatShare: 0.05,
  valueShare: 0,
  batchEvents: 500,
  ingestBatchEvents: 4_000_000,
  ingestJsonEvents: 1_500_000,
  connections: 16,
  singleRequests: 60_000,
  httpRounds: 21,
  httpWarmUpRequests: 60_000,
  httpLeadInRequests: 6_000,
  httpRoundRequests: 8_000,
  singleConnections: 256,
  turns: 3,
  steadyEventsPerSecond: 50_000,
  steadySeconds: 30,
  readsPerSecond: 200,
  liveClients: 200,
  manyLiveClients: 2_000,
  freshnessProbes: 40,
  settleSeconds: 5,
  heavyMinuteEvents: 3_000_000,
  auditEvents: 1_000_000,
  rankedVideos: 1_000_000,
  rankedCellsAnHour: 5_000,
  mixedReadsPerSecond: 2_000,
  mixedEventsPerSecond: 20_000,
  mixedSeconds: 20,
  idleSeconds: 10,
  growthEvents: 4_000_000,
  growthDays: 360,
  memoryEventsPerSecond: 5_000,
  memoryMinutes: 14,
  flinkEvents: 5_000_000,
  flinkMinutes: 2,
  flinkScenarios: FLINK_SCENARIOS,
  flinkSameJvm: false,
  sustainedEventsPerSecond: 160_000,
  warmUpMinutes: 1,
  sustainedMinutes: 3,
};

/** Small enough for a smoke test; its figures say nothing of speed. */
const QUICK: BenchParameters = {
  ...FULL,
  quick: true,
  events: 100_000,
  videos: 5_000,
  valueShare: 0.5,
  ingestBatchEvents: 100_000,
  ingestJsonEvents: 50_000,
  connections: 4,
  singleRequests: 2_000,
  httpRounds: 2,
  httpWarmUpRequests: 500,
  httpLeadInRequests: 250,
  httpRoundRequests: 1_000,
  singleConnections: 16,
  turns: 2,
  steadyEventsPerSecond: 10_000,
  steadySeconds: 3,
  readsPerSecond: 50,
  liveClients: 10,
  manyLiveClients: 50,
  freshnessProbes: 4,
  settleSeconds: 1,
  heavyMinuteEvents: 100_000,
  auditEvents: 50_000,
  rankedVideos: 20_000,
  rankedCellsAnHour: 100,
  mixedReadsPerSecond: 200,
  mixedEventsPerSecond: 5_000,
  mixedSeconds: 3,
  idleSeconds: 2,
  growthEvents: 50_000,
  growthDays: 20,
  memoryEventsPerSecond: 2_000,
  memoryMinutes: 0.2,
  flinkEvents: 200_000,
  flinkMinutes: 1,
  sustainedEventsPerSecond: 5_000,
  sustainedMinutes: 1,
};

export function benchParameters(chosen: {
  quick?: boolean;
  events?: number;
  seed?: number;
  videos?: number;
  rate?: number;
  minutes?: number;
  scenarios?: readonly FlinkScenario[];
  sameJvm?: boolean;
}): BenchParameters {
  const parameters = { ...(chosen.quick === true ? QUICK : FULL) };
  if (chosen.events !== undefined) {
    parameters.events = chosen.events;
    parameters.flinkEvents = chosen.events;
  }
  if (chosen.seed !== undefined) parameters.seed = chosen.seed;
  if (chosen.videos !== undefined) parameters.videos = chosen.videos;
  if (chosen.rate !== undefined) parameters.sustainedEventsPerSecond = chosen.rate;
  if (chosen.minutes !== undefined) parameters.memoryMinutes = parameters.sustainedMinutes = chosen.minutes;
  if (chosen.scenarios !== undefined) parameters.flinkScenarios = chosen.scenarios;
  if (chosen.sameJvm === true) parameters.flinkSameJvm = true;
  return parameters;
}
