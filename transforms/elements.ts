// SPDX-License-Identifier: Apache-2.0
/**
 * The elements between the transforms. Every element that crosses a shuffle is a plain object of numbers, strings and
 * Uint8Array fields: the only values the SDK's coders carry whole (see engine/bytes.ts for bytes). Keys are strings.
 */
import type { BatchRows } from "../domain/columns/batch-rows";
import type { EventColumns } from "../domain/columns/event-columns";
import type { LateCount } from "../domain/columns/late-events";
import type { MinuteCounts } from "../domain/columns/minute-counts";
import type { PaneCounts } from "../domain/columns/pane-counts";
import type { PaneNames } from "../domain/columns/pane-names";
import type { RejectionReason } from "../domain/rejection";
import type { LedgerRow } from "../io/ports";

/** One message of the log or of a topic. */
export interface BatchMessage {
  kind: "batch";
  payload: Uint8Array;
  /**
   * The append time, epoch milliseconds; it is the receipt time of events that carry none. Absent in the embedded log.
   */
  appendedAtMs?: number;
  /** Event types of the message that the deployment does not admit (AdmitEventTypes). */
  refusedTypes?: string[];
  /** Where it is present, only events of these minutes are counted. */
  minutes?: number[];
}

/** A message that was judged before: its events that keep the contract. Only for a graph in the same process. */
export interface ColumnsMessage {
  kind: "columns";
  columns: EventColumns;
  receivedAtMs: number;
  /** As in BatchMessage. */
  minutes?: number[];
}

/** One object of the archive, read whole. */
export interface ArchiveMessage {
  kind: "archive";
  name: string;
  minute: number;
  content: Uint8Array;
  /** As in ArchiveName. */
  repeated?: readonly number[];
}

export type Message = BatchMessage | ColumnsMessage | ArchiveMessage;

/** The name of an archive object still to be read. */
export interface ArchiveName {
  name: string;
  minute: number;
  /** The rows that are not counted, as ranges (domain/rules/repeated-messages.ts); absent: every row is counted. */
  repeated?: readonly number[];
}

/** Events of one minute and dedup partition (domain/columns/event-block.ts). */
export interface BlockElement {
  minute: number;
  count: number;
  /** The id that no other block has; absent in elements of earlier releases. */
  id?: string;
  block: Uint8Array;
}

/** The same events by reference, where the dedup is in the same process. They never cross a worker boundary. */
interface RowsElement {
  minute: number;
  count: number;
  batches: readonly BatchRows[];
  names: PaneNames;
}

export type EventElement = BlockElement | RowsElement;

/** The number of events of one minute that the lateness rule sets aside, by the minute of their receipt. */
export type LateElement = LateCount;

/** A message or an event that cannot be counted. */
export interface DeadElement {
  reason: RejectionReason;
  detail: string;
  eventId?: string;
  receivedAtMs: number;
  payload: Uint8Array;
  contentType: string;
}

/** The counts of one partition's pane for one video shard (domain/columns/count-block.ts), in `parts` pieces. */
export interface CountElement {
  minute: number;
  partition: number;
  /** The number of events of the pane. Of nested panes the later has more. */
  received: number;
  /** The firing of the pane that the element belongs to; absent in elements of earlier releases. */
  firing?: number;
  part: number;
  reusedIds: number;
  block: Uint8Array;
}

/**
 * The same counts where the next transform is in the same process. A kept pane leaves out the cells that have not
 * changed.
 */
export interface PaneElement {
  minute: number;
  partition: number;
  received: number;
  firing: number;
  part: number;
  counts: Omit<PaneCounts, "shard">;
}

/**
 * A video shard's counts of a minute, or a part of them. The last part carries the books of all parts. The element
 * crosses no shuffle.
 */
export interface ShardCounts {
  counts: MinuteCounts;
  books?: LedgerRow;
}
