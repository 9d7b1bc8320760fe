// SPDX-License-Identifier: Apache-2.0
/** The graph that counts: the embedded stream, bounded runs, Flink and Dataflow all build it from here. */
import { flatten, P, type PCollection, withName } from "../engine";
import { countPerVideo } from "../transforms/count-per-video";
import { type DecodeOptions, decodeBatches } from "../transforms/decode-batches";
import { type DedupeOptions, dedupeByEventId } from "../transforms/dedupe-by-event-id";
import type { DeadElement, Message } from "../transforms/elements";
import type { MinuteWindowing } from "../transforms/minute-windowing";
import { windowIntoMinutes } from "../transforms/window-into-minutes";
import { type WriteOptions, writeCounters } from "../transforms/write-counters";
import { writeDeadLetters } from "../transforms/write-dead-letters";
import { writeLateLedger } from "../transforms/write-late-ledger";

export interface CountingOptions extends Omit<DecodeOptions, "graceMs" | "streaming">, DedupeOptions, WriteOptions {
  /** The windowing of a stream on a runner with a watermark. Absent in a bounded run. */
  windowing?: MinuteWindowing;
}

/**
 * The counting graph, which every runner runs. Each event of `messages` ends counted, as a duplicate, late, or as a
 * dead letter. `unreadable` holds the dead letters of earlier steps.
 */
export function countingGraph(
  messages: PCollection<Message>,
  options: CountingOptions,
  unreadable?: PCollection<DeadElement>,
): void {
  const { windowing } = options;
  const { blocks, late, dead } = decodeBatches(messages, {
    ...options,
    graceMs: windowing?.graceMs ?? 0,
    streaming: windowing !== undefined,
  });
  const counts = dedupeByEventId(windowIntoMinutes("BlocksIntoMinutes", blocks, windowing), options);
  writeCounters(countPerVideo(counts), options);
  writeLateLedger(windowIntoMinutes("LateIntoMinutes", late, windowing), options);
  const allDead =
    unreadable === undefined ? dead : P([dead, unreadable]).apply(withName("AllDead", flatten<DeadElement>()));
  writeDeadLetters(allDead, { grouped: windowing === undefined });
}
