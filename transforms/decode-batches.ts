// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import { isBackfilled } from "../domain/archive-name";
import { BlockPartitioner } from "../domain/columns/block-partitioner";
import { type EventColumns, selectRows } from "../domain/columns/event-columns";
import type { LateCount } from "../domain/columns/late-events";
import { PaneNames } from "../domain/columns/pane-names";
import { RowPartitioner } from "../domain/columns/row-partitioner";
import { MINUTE_MS } from "../domain/rules/time";
import {
  type DoFn,
  type KV,
  type PCollection,
  parDo,
  register,
  resource,
  splitByTag,
  type Tagged,
  toBytes,
  type WindowedValue,
  windowedValue,
  withName,
} from "../engine";
import type { IntakeLimits } from "../intake/limits";
import { readArchiveObject } from "../io/formats/avro/archive-object";
import { AvroError } from "../io/formats/avro/binary";
import type { PaneCache } from "./dedupe-by-event-id";
import type { ArchiveMessage, BatchMessage, DeadElement, EventElement, LateElement, Message } from "./elements";
import { hashSeed } from "./hash-seed";
import { readJudged } from "./read-message";

export interface DecodeOptions {
  /** P: the number of dedup partitions over which events are spread by their id. */
  dedupePartitions: number;
  /**
   * Resource name of a PaneCache, only with `inProcess`. Every partition of a touched minute then fires (see
   * `untouched`). Empty: no pane is kept.
   */
  paneCache: string;
  /**
   * Whether the dedup runs in this process (the direct runner) and reads the rows in place. Otherwise the rows cross as
   * packed blocks.
   */
  inProcess?: boolean;
  /** Events received later than this after their time are set aside; -1: none is. */
  allowedLatenessMs: number;
  /** Events that did not pass the write API and are older than this at their receipt are `too-old`; absent: none is. */
  rawRetentionMs?: number;
  /** The limits of a direct producer's message; absent: those of the contract. */
  limits?: IntakeLimits;
  /**
   * The largest delay between an event's receipt and its append that the lateness rule believes. A producer whose clock
   * is far behind stamps a receipt long before the append. The runner's watermark is the log's clock, so the runner
   * would have forgotten the minute of an event that such a receipt calls punctual. Absent: the rule believes every
   * receipt.
   */
  maxReceiptDelayMs?: number;
  /** The first minute that the stream owns; the audit counts events of earlier minutes. 0: all minutes. */
  fromMinute?: number;
  /** Offset added to a block's element timestamp, which is the start of its minute (see MinuteWindowing.graceMs). */
  graceMs?: number;
  /** Whether late counts are timestamped by their receipt, because the window of their minute may be gone by then. */
  streaming?: boolean;
}

export type Decoded = {
  blocks: KV<string, EventElement>;
  late: KV<string, LateElement>;
  dead: DeadElement;
};

/**
 * Decodes and checks messages, and groups the events of the whole bundle by (dedup partition, minute), as blocks or in
 * place. In: messages of the log, or archive objects. Out: `blocks` keyed by partition, timestamped by their minute;
 * `late`: counts of the events that the lateness rule sets aside, keyed by minute and receipt minute. Rejects: `dead`,
 * with the original bytes whole. Windowing: global in, global out; timestamps of event time (plus the grace), of the
 * receipt for late counts of a stream. Replay: the same blocks again; deduplication finds them to be repeats. It is the
 * first step of the counting graph.
 */
export function decodeBatches(messages: PCollection<Message>, options: DecodeOptions) {
  const decoded = messages.apply(withName("DecodeBatches", parDo(new DecodeBatches(options))));
  return splitByTag<Decoded>("ByOutcome", decoded, { blocks: true, late: true, dead: true });
}

/** Sorts the events of a bundle by minute and dedup partition. */
interface Partitioner {
  add(columns: EventColumns, receivedAtMs: number | Float64Array, minutes?: ReadonlySet<number>): void;
  /** Returns the events set aside as late. */
  takeLate(): LateCount[];
}

/** The elements of a bundle's end: one or more for each (minute, partition). */
interface PartitionedEvents {
  partition: number;
  element: EventElement;
}

export class DecodeBatches implements DoFn<Message, Tagged<Decoded>> {
  private partitioner: (Partitioner & { elements(): PartitionedEvents[] }) | undefined;

  constructor(readonly options: DecodeOptions) {}

  *process(message: Message): Iterable<Tagged<Decoded>> {
    this.partitioner ??= this.options.inProcess === true ? asRows(this.options) : asBlocks(this.options);
    if (message.kind === "batch") yield* this.batch(this.partitioner, message);
    else if (message.kind === "columns") {
      const { columns, receivedAtMs, minutes } = message;
      this.partitioner.add(columns, receivedAtMs, minutes === undefined ? undefined : new Set(minutes));
    } else yield* this.object(this.partitioner, message);
  }

  private *batch(partitioner: Partitioner, message: BatchMessage): Iterable<Tagged<Decoded>> {
    const { appendedAtMs, minutes, refusedTypes } = message;
    const { rawRetentionMs, limits, maxReceiptDelayMs } = this.options;
    const rules = {
      ...(rawRetentionMs === undefined ? {} : { rawRetentionMs }),
      ...(limits === undefined ? {} : { limits }),
      ...(refusedTypes === undefined ? {} : { admitsType: (type: string) => !refusedTypes.includes(type) }),
    };
    const { receivedAtMs, columns, dead } = readJudged(message, rules);
    for (const letter of dead) yield { dead: letter };
    const earliestMs = (appendedAtMs ?? 0) - (maxReceiptDelayMs ?? Number.POSITIVE_INFINITY);
    const lateBy = Math.max(receivedAtMs, earliestMs);
    partitioner.add(columns, lateBy, minutes === undefined ? undefined : new Set(minutes));
  }

  private *object(partitioner: Partitioner, { name, minute, ...object }: ArchiveMessage): Iterable<Tagged<Decoded>> {
    const content = toBytes(object.content);
    try {
      // Backfilled events are old on purpose, so none of them is late.
      const neverLate = isBackfilled(name) ? Number.NEGATIVE_INFINITY : undefined;
      let firstRow = 0;
      for (const { columns, receivedAtMs } of readArchiveObject(content, minute)) {
        const block = withoutRows({ columns, receivedAtMs }, firstRow, object.repeated);
        partitioner.add(block.columns, neverLate ?? block.receivedAtMs);
        firstRow += columns.count;
      }
    } catch (error) {
      if (!(error instanceof AvroError)) throw error;
      const detail = `archive object ${name}: ${error.message}`;
      yield {
        dead: {
          reason: "not-avro",
          detail,
          receivedAtMs: minute * MINUTE_MS,
          payload: content,
          contentType: "application/avro",
        },
      };
    }
  }

  *finishBundle(): Iterable<WindowedValue<Tagged<Decoded>>> {
    const partitioner = this.partitioner;
    this.partitioner = undefined;
    if (partitioner === undefined) return;
    const events = partitioner.elements();
    for (const { partition, element } of [...events, ...this.untouched(events)]) {
      const timeMs = element.minute * MINUTE_MS + (this.options.graceMs ?? 0);
      yield windowedValue<Tagged<Decoded>>({ blocks: { key: String(partition), value: element } }, timeMs);
    }
    for (const late of partitioner.takeLate()) {
      const timeMs = (this.options.streaming === true ? late.receiptMinute : late.minute) * MINUTE_MS;
      yield windowedValue<Tagged<Decoded>>(
        { late: { key: `${late.minute} ${late.receiptMinute}`, value: late } },
        timeMs,
      );
    }
  }

  /**
   * With kept panes, yields no rows for each partition without events of a touched minute. CountPerVideo adds up
   * the partitions that fire in this run. A kept pane that does not fire would be missing in the sums; a streaming
   * runner keeps such a pane.
   */
  private *untouched(events: readonly PartitionedEvents[]): Iterable<PartitionedEvents> {
    const { dedupePartitions, paneCache } = this.options;
    if (paneCache === "" || dedupePartitions === 1) return;
    const touched = new Map<number, Set<number>>();
    for (const { partition, element } of events) {
      touched.set(element.minute, (touched.get(element.minute) ?? new Set()).add(partition));
    }
    for (const [minute, partitions] of touched) {
      for (let partition = 0; partition < dedupePartitions; partition++) {
        if (partitions.has(partition)) continue;
        yield { partition, element: { minute, count: 0, batches: [], names: namesOf(this.options) } };
      }
    }
  }
}

/** Of all blocks of all processes each has another id, also where the same messages are decoded again. */
const process = randomBytes(16).toString("hex");
let blocks = 0;

interface ArchivedRows {
  columns: EventColumns;
  receivedAtMs: Float64Array;
}

/** Returns a block without the rows that lie in one of the object's `ranges`. The block begins at row `firstRow`. */
function withoutRows(block: ArchivedRows, firstRow: number, ranges?: readonly number[]): ArchivedRows {
  if (ranges === undefined) return block;
  const { columns, receivedAtMs } = block;
  const isLeftOut = new Uint8Array(columns.count);
  for (let n = 0; n < ranges.length; n += 2)
    isLeftOut.fill(1, Math.max(0, ranges[n]! - firstRow), Math.max(0, ranges[n + 1]! - firstRow));
  if (!isLeftOut.includes(1)) return block;
  const kept: number[] = [];
  for (let row = 0; row < columns.count; row++) if (isLeftOut[row] === 0) kept.push(row);
  return { columns: selectRows(columns, kept), receivedAtMs: Float64Array.from(kept, (row) => receivedAtMs[row]!) };
}

/** Returns the names of the kept panes, or new ones where no panes are kept. */
const namesOf = ({ paneCache }: DecodeOptions): PaneNames =>
  paneCache === "" ? new PaneNames(hashSeed) : resource<PaneCache>(paneCache).names();

function asBlocks(options: DecodeOptions) {
  const partitioner = new BlockPartitioner(
    options.dedupePartitions,
    options.allowedLatenessMs,
    hashSeed,
    options.fromMinute,
  );
  const elements = () =>
    partitioner.finish().map(({ minute, partition, count, bytes }) => {
      return { partition, element: { minute, count, id: `${process} ${blocks++}`, block: bytes } };
    });
  return { add: partitioner.add.bind(partitioner), takeLate: () => partitioner.takeLate(), elements };
}

function asRows(options: DecodeOptions) {
  const names = namesOf(options);
  const partitioner = new RowPartitioner(
    options.dedupePartitions,
    options.allowedLatenessMs,
    options.fromMinute,
    names,
  );
  const elements = () => {
    return partitioner.finish().map(({ partition, ...rows }) => ({ partition, element: { ...rows, names } }));
  };
  return { add: partitioner.add.bind(partitioner), takeLate: () => partitioner.takeLate(), elements };
}

register(module);
