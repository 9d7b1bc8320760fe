// SPDX-License-Identifier: Apache-2.0
/**
 * The archiving half of the embedded stream's pass: entries of the log are decoded once, and written as archive objects
 * by minute.
 */
import { type EventColumns, minuteRuns } from "../../domain/columns/event-columns";
import { inParallel } from "../../io/flow/in-parallel";
import { ArchiveObjectWriter } from "../../io/formats/avro/archive-object";
import type { Archive, ArchivedObject, LogEntry, NewDeadLetter } from "../../io/ports";
import { readMessage } from "../../transforms/read-message";

const WRITES_IN_FLIGHT = 8;

export interface ReceivedColumns {
  columns: EventColumns;
  receivedAtMs: number;
}

/** A decoded range of the log, with one archive object to write for each minute of event time. */
export interface DecodedRange {
  /**
   * The append time of the range's first entry. Every event accepted before it was counted when this range was still to
   * be counted.
   */
  firstAppendedAtMs: number;
  /**
   * The file name of the range's objects. The range determines the name, so writing a minute's object again after a
   * crash writes the same object.
   */
  fileName: string;
  objects: Map<number, ArchiveObjectWriter>;
  /** The decoded entries without their dead letters: the input of the graph. */
  batches: ReceivedColumns[];
  /** The dead letters of each entry: undecodable entries, and events that break the contract, whole. */
  dead: NewDeadLetter[][];
}

export function decodeEntries(entries: readonly LogEntry[], writer: string): DecodedRange {
  const first = entries[0]!.position;
  const last = entries[entries.length - 1]!.position;
  const fileName = `${writer}-${String(first).padStart(12, "0")}-${String(last).padStart(12, "0")}.avro`;
  const range: DecodedRange = {
    firstAppendedAtMs: entries[0]!.appendedAtMs,
    fileName,
    objects: new Map(),
    batches: [],
    dead: [],
  };
  for (const { position, payload, appendedAtMs } of entries) {
    // The write API alone writes this log. Events that it accepted stay accepted, whatever the clock says by now.
    const { columns, dead, unreadable, receivedAtMs } = readMessage(payload, undefined);
    addRows(range.objects, fileName, columns, receivedAtMs);
    if (columns.count > 0) range.batches.push({ columns, receivedAtMs });
    if (dead.length > 0) {
      const letters = dead.map((letter) => ({ ...letter, detail: `log entry ${position}: ${letter.detail}` }));
      const sentAtMs = unreadable ? appendedAtMs : receivedAtMs;
      range.dead.push(letters.map((letter) => ({ ...letter, receivedAtMs: sentAtMs, source: "pipeline" })));
    }
  }
  return range;
}

function addRows(
  objects: Map<number, ArchiveObjectWriter>,
  fileName: string,
  columns: EventColumns,
  receivedAtMs: number,
): void {
  for (const { minute, from, to } of minuteRuns(columns)) {
    let object = objects.get(minute);
    if (object === undefined) {
      object = new ArchiveObjectWriter(fileName);
      objects.set(minute, object);
    }
    for (let row = from; row < to; row++) object.add(columns, row, receivedAtMs);
  }
}

export interface WrittenObject extends ArchivedObject {
  content: Uint8Array;
}

/**
 * Writes the range's objects of these minutes and removes them from the range, because a writer cannot be finished
 * twice.
 */
export async function writeObjects(
  archive: Archive,
  { fileName, objects }: DecodedRange,
  minutes: readonly number[],
): Promise<WrittenObject[]> {
  const due = minutes.flatMap((minute) => {
    const object = objects.get(minute);
    objects.delete(minute);
    return object === undefined ? [] : [{ minute, object }];
  });
  return inParallel(due, WRITES_IN_FLIGHT, async ({ minute, object }) => {
    const content = object.finish();
    const { name, sizeBytes } = await archive.write(minute, fileName, content);
    return { name, minute, events: object.events, sizeBytes, content };
  });
}
