import { isBackfilled } from "../domain/archive-name";
import { BlockPartitioner, type SealedBlock } from "../domain/columns/block-partitioner";
import { EMPTY_BLOCK } from "../domain/columns/event-block";
import { MINUTE_MS } from "../domain/rules/time";
import {
  type DoFn,
  type KV,
  type PCollection,
  parDo,
  register,
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
import type { BatchMessage, BlockElement, DeadElement, LateElement, Message } from "./elements";
import { hashSeed } from "./hash-seed";
import { readMessage } from "./read-message";

export interface DecodeOptions {
  /** P: events are spread over this many dedup partitions by their id. */
  dedupePartitions: number;
  /** Resource name of a PaneCache. A minute that is touched then fires in every partition (see `untouched`). Empty: there is none. */
  paneCache: string;
  /** Events received later than this after their time are set aside; -1: never. */
  allowedLatenessMs: number;
  /** Events that came past the write API and are older than this at their receipt are `too-old`; absent: none is. */
  rawRetentionMs?: number;
  /** What a direct producer's message may be; absent: as the contract says. */
  limits?: IntakeLimits;
  /**
   * The lateness rule takes no event for received longer than this before its append: the runner, whose watermark is the log's clock, would have
   * forgotten the minute of an event that a clock far behind calls punctual. Absent: the rule believes the receipt.
   */
  maxReceiptDelayMs?: number;
  /** The stream owns the minutes from this one on; events of earlier ones are left to the audit. 0: all. */
  fromMinute?: number;
  /** How long after their minute's start blocks are dated (see MinuteWindowing.graceMs). */
  graceMs?: number;
  /** Late counts are dated by their receipt, since the window of their minute may be long gone. */
  streaming?: boolean;
}

export type Decoded = {
  blocks: KV<string, BlockElement>;
  late: KV<string, LateElement>;
  dead: DeadElement;
};

/**
 * Decodes and checks messages, and packs the events of the whole bundle into one block per (dedup partition, minute).
 * In: messages of the log, or archive objects. Out: `blocks` keyed by partition, at the time of their minute; `late`: counts of events the
 * lateness rule sets aside, keyed by minute and receipt minute. Rejects: `dead`, with the original bytes whole. Windowing: global in, global out; timestamps of
 * event time (plus the grace), in a stream those of late counts are of their receipt.
 * Replay: the same blocks again; deduplication takes them for the repeats they are.
 */
export function decodeBatches(messages: PCollection<Message>, options: DecodeOptions) {
  const decoded = messages.apply(withName("DecodeBatches", parDo(new DecodeBatches(options))));
  return splitByTag<Decoded>("ByOutcome", decoded, { blocks: true, late: true, dead: true });
}

export class DecodeBatches implements DoFn<Message, Tagged<Decoded>> {
  private partitioner: BlockPartitioner | undefined;

  constructor(readonly options: DecodeOptions) {}

  *process(message: Message): Iterable<Tagged<Decoded>> {
    this.partitioner ??= new BlockPartitioner(
      this.options.dedupePartitions,
      this.options.allowedLatenessMs < 0 ? Number.POSITIVE_INFINITY : this.options.allowedLatenessMs,
      hashSeed,
      this.options.fromMinute,
    );
    if (message.kind === "batch") yield* this.batch(this.partitioner, message);
    else yield* this.object(this.partitioner, message.name, message.minute, toBytes(message.content));
  }

  private *batch(
    partitioner: BlockPartitioner,
    { payload, appendedAtMs, minutes, refusedTypes }: BatchMessage,
  ): Iterable<Tagged<Decoded>> {
    const { rawRetentionMs, limits, maxReceiptDelayMs } = this.options;
    const rules = {
      ...(rawRetentionMs === undefined ? {} : { rawRetentionMs }),
      ...(limits === undefined ? {} : { limits }),
      ...(refusedTypes === undefined ? {} : { admitsType: (type: string) => !refusedTypes.includes(type) }),
    };
    const { receivedAtMs, columns, dead } = readMessage(toBytes(payload), appendedAtMs, rules);
    for (const letter of dead) yield { dead: letter };
    const earliestMs = (appendedAtMs ?? 0) - (maxReceiptDelayMs ?? Number.POSITIVE_INFINITY);
    const lateBy = Math.max(receivedAtMs, earliestMs);
    partitioner.add(columns, lateBy, minutes === undefined ? undefined : new Set(minutes));
  }

  private *object(
    partitioner: BlockPartitioner,
    name: string,
    minute: number,
    content: Uint8Array,
  ): Iterable<Tagged<Decoded>> {
    try {
      // Backfilled events are old on purpose.
      const neverLate = isBackfilled(name) ? Number.NEGATIVE_INFINITY : undefined;
      for (const { columns, receivedAtMs } of readArchiveObject(content, minute))
        partitioner.add(columns, neverLate ?? receivedAtMs);
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
    const blocks = partitioner.finish();
    for (const { minute, partition, count, bytes } of [...blocks, ...this.untouched(blocks)]) {
      const value: BlockElement = { minute, count, block: bytes };
      const timeMs = minute * MINUTE_MS + (this.options.graceMs ?? 0);
      yield windowedValue<Tagged<Decoded>>({ blocks: { key: String(partition), value } }, timeMs);
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
   * With kept panes, an empty block for each partition that a touched minute has no events for. CountPerVideo adds up the partitions it
   * sees in this run: a kept pane that nothing fires would be missing in the sums, as it is not missing in those of a streaming runner.
   */
  private *untouched(blocks: readonly SealedBlock[]): Iterable<SealedBlock> {
    const { dedupePartitions, paneCache } = this.options;
    if (paneCache === "" || dedupePartitions === 1) return;
    const touched = new Map<number, Set<number>>();
    for (const { minute, partition } of blocks) {
      touched.set(minute, (touched.get(minute) ?? new Set()).add(partition));
    }
    for (const [minute, partitions] of touched) {
      for (let partition = 0; partition < dedupePartitions; partition++) {
        if (!partitions.has(partition)) yield { minute, partition, count: 0, bytes: EMPTY_BLOCK };
      }
    }
  }
}

register(module);
