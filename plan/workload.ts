// SPDX-License-Identifier: Apache-2.0
/** The workload to plan for. Shares are of all events, 0 to 1. `viewmill plan` makes one of its flags. */
import { MINUTES_A_DAY } from "../domain/rules/time";
export interface Workload {
  eventsPerSecond: number;
  /** Videos that may get events. */
  videos: number;
  /** Exponent of the Zipf distribution of events over videos; 0: all alike. */
  zipf: number;
  /** Share of the events that are of one more video, the hottest. */
  hotShare: number;
  /** Shares of the event types; they add up to 1. */
  typeShares: readonly number[];
  /** Length of a videoId, characters. */
  videoIdBytes: number;
  form: MessageForm;
  /** Events a message. */
  batchEvents: number;
  duplicateShare: number;
  /** The share of events that are received after their minute was counted, and the minutes over which they arrive. */
  lateShare: number;
  lateMinutes: number;
  /** Events later than this are booked and not counted; windows are kept for as long. */
  latenessMinutes: number;
  rawDays: number;
  /** At least rawDays, the lateness horizon and a day for audits. */
  minuteDays: number;
  /** At least minuteDays. */
  hourDays: number;
  log: "kafka" | "pubsub";
  runner: "flink" | "dataflow";
  /** Events come from producers that publish to the topic themselves: no write API. */
  direct: boolean;
  /** The share of its processors that a part may use in normal operation. */
  utilization: number;
}

type MessageForm = "batch" | "array" | "single";

export const DEFAULT_WORKLOAD: Omit<Workload, "eventsPerSecond" | "videos" | "minuteDays"> = {
  zipf: 1,
  hotShare: 0,
  typeShares: [0.8, 0.15, 0.05],
  videoIdBytes: 12,
  form: "batch",
  batchEvents: 500,
  duplicateShare: 0.01,
  lateShare: 0,
  lateMinutes: 3,
  latenessMinutes: 60,
  rawDays: 30,
  hourDays: 100,
  log: "pubsub",
  runner: "dataflow",
  direct: false,
  utilization: 0.6,
};

class WorkloadError extends Error {
  override readonly name = "WorkloadError";
}

const BOUNDS: readonly [keyof Workload, least: number, most: number, whole: boolean][] = [
  ["eventsPerSecond", 1, 1e9, false],
  ["videos", 1, 1e10, true],
  ["zipf", 0, 3, false],
  ["hotShare", 0, 0.999, false],
  ["videoIdBytes", 1, 128, true],
  ["batchEvents", 1, 10_000, true],
  ["duplicateShare", 0, 0.99, false],
  ["lateShare", 0, 1, false],
  ["lateMinutes", 1, MINUTES_A_DAY, false],
  ["latenessMinutes", 1, 14_400, false],
  ["rawDays", 1, 36_500, false],
  ["minuteDays", 1, 36_500, false],
  ["hourDays", 1, 36_500, false],
  ["utilization", 0.05, 1, false],
];

/** Returns the workload, with defaults for missing values. Throws WorkloadError with every invalid value. */
export function workloadOf(given: Partial<Workload>): Workload {
  const usual = { ...DEFAULT_WORKLOAD, ...given };
  const leastDays = usual.rawDays + Math.ceil(usual.latenessMinutes / MINUTES_A_DAY) + 1;
  const minuteDays = given.minuteDays ?? leastDays;
  const hourDays = given.hourDays ?? Math.max(DEFAULT_WORKLOAD.hourDays, minuteDays);
  const workload = { ...usual, minuteDays, hourDays } as Workload;
  const wrong: string[] = [];
  for (const [name, least, most, whole] of BOUNDS) {
    const value = workload[name];
    if (typeof value !== "number" || !(value >= least && value <= most) || (whole && !Number.isInteger(value)))
      wrong.push(`${name} must be ${whole ? "a whole number" : "a number"} from ${least} to ${most}, not ${value}`);
  }
  const types = workload.typeShares.reduce((sum, share) => sum + share, 0);
  if (workload.typeShares.some((share) => !(share > 0)) || Math.abs(types - 1) > 1e-6)
    wrong.push("the shares of the event types must be above 0 and add up to 1");
  if (workload.form === "single" && workload.batchEvents !== 1)
    wrong.push("single events come one a message: batchEvents must be 1");
  if (workload.minuteDays < leastDays)
    wrong.push(`minuteDays must be at least ${leastDays}: rawDays, the lateness horizon, and a day for audits`);
  if (workload.hourDays < workload.minuteDays)
    wrong.push(`hourDays must be at least the retention of minutes (${workload.minuteDays})`);
  if (workload.lateMinutes > workload.latenessMinutes)
    wrong.push("lateMinutes must not be above latenessMinutes: what comes later is not counted");
  if (wrong.length > 0) throw new WorkloadError(wrong.join("; "));
  return workload;
}
