import type { PCollection } from "../engine";
import { countPerVideo } from "../transforms/count-per-video";
import { type DecodeOptions, decodeBatches } from "../transforms/decode-batches";
import { type DedupeOptions, dedupeByEventId } from "../transforms/dedupe-by-event-id";
import type { Message } from "../transforms/elements";
import { windowIntoMinutes } from "../transforms/window-into-minutes";
import { type WriteOptions, writeCounters } from "../transforms/write-counters";
import { writeDeadLetters } from "../transforms/write-dead-letters";
import { writeLedger } from "../transforms/write-ledger";

export interface CountingOptions extends DecodeOptions, DedupeOptions, WriteOptions {}

/** The counting graph: the one every runner runs. Each event of `messages` ends counted, as a duplicate, late, or as a dead letter. */
export function countingGraph(messages: PCollection<Message>, options: CountingOptions): void {
  const { blocks, late, dead } = decodeBatches(messages, options);
  const { counts, ledger } = dedupeByEventId(windowIntoMinutes("BlocksIntoMinutes", blocks), options);
  writeCounters(countPerVideo(counts), options);
  writeLedger(ledger, windowIntoMinutes("LateIntoMinutes", late), options);
  writeDeadLetters(dead);
}
