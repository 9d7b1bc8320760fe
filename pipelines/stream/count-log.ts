// SPDX-License-Identifier: Apache-2.0
/**
 * The counting of a shared log, from its messages to the counters: references are resolved and event types admitted
 * before the counting graph. The streaming job of Flink and Dataflow is made of it (stream-pipeline.ts).
 */
import type { PCollection } from "../../engine";
import { admitEventTypes } from "../../transforms/admit-event-types";
import type { BatchMessage } from "../../transforms/elements";
import { resolveReferences } from "../../transforms/resolve-references";
import { type CountingOptions, countingGraph } from "../counting-graph";

export interface LogCounting {
  counting: CountingOptions & Required<Pick<CountingOptions, "windowing">>;
  /** The largest number of event types of the deployment; absent: any number. */
  maxEventTypes?: number;
}

export function countLog(log: PCollection<BatchMessage>, { counting, maxEventTypes }: LogCounting): void {
  const { messages, dead } = resolveReferences(log);
  const { rawRetentionMs, limits } = counting;
  const rules = {
    ...(rawRetentionMs === undefined ? {} : { rawRetentionMs }),
    ...(limits === undefined ? {} : { limits }),
  };
  const admitted = maxEventTypes === undefined ? messages : admitEventTypes(messages, { maxEventTypes, rules });
  countingGraph(admitted, counting, dead);
}
