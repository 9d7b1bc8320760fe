// SPDX-License-Identifier: Apache-2.0
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
