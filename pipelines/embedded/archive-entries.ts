import { minuteOf } from "../../domain/event";
import type { EventColumns } from "../../domain/event-columns";
import { ArchiveObjectWriter } from "../../io/avro/archive-object";
import { BatchFormatError, decodeBatch } from "../../io/avro/batch";
import type { Archive, ArchivedObject, DeadLetters, LogEntry } from "../../io/ports";

const WRITES_IN_FLIGHT = 8;

/**
 * Archives a range of the log: one object for each minute of event time it touches, named after the range, so that doing it again after a
 * crash writes the same objects. An entry that cannot be decoded becomes a dead letter, whole.
 */
export async function archiveEntries(
  entries: readonly LogEntry[],
  writer: string,
  archive: Archive,
  deadLetters: DeadLetters,
): Promise<ArchivedObject[]> {
  const first = entries[0]!.position;
  const last = entries[entries.length - 1]!.position;
  const fileName = `${writer}-${String(first).padStart(12, "0")}-${String(last).padStart(12, "0")}.avro`;
  const objects = new Map<number, ArchiveObjectWriter>();
  for (const entry of entries) {
    try {
      const { columns, receivedAtMs } = decodeBatch(entry.payload);
      addRows(objects, fileName, columns, receivedAtMs);
    } catch (error) {
      if (!(error instanceof BatchFormatError)) throw error;
      await deadLetters.append([
        {
          receivedAtMs: entry.appendedAtMs,
          reason: error.reason,
          detail: `log entry ${entry.position}: ${error.message}`,
          payload: entry.payload,
          contentType: "application/vnd.viewmill.batch+avro",
          source: "pipeline",
        },
      ]);
    }
  }
  return writeAll(archive, fileName, [...objects]);
}

function addRows(
  objects: Map<number, ArchiveObjectWriter>,
  fileName: string,
  columns: EventColumns,
  receivedAtMs: number,
): void {
  let minute = Number.NaN;
  let object: ArchiveObjectWriter | undefined;
  for (let row = 0; row < columns.count; row++) {
    const itsMinute = minuteOf(columns.timesMs[row]!);
    if (object === undefined || itsMinute !== minute) {
      minute = itsMinute;
      object = objects.get(minute);
      if (object === undefined) {
        object = new ArchiveObjectWriter(fileName);
        objects.set(minute, object);
      }
    }
    object.add(columns, row, receivedAtMs);
  }
}

async function writeAll(
  archive: Archive,
  fileName: string,
  objects: [number, ArchiveObjectWriter][],
): Promise<ArchivedObject[]> {
  const written: ArchivedObject[] = [];
  const queue = objects.values();
  const work = async () => {
    for (const [minute, object] of queue) {
      const { name, sizeBytes } = await archive.write(minute, fileName, object.finish());
      written.push({ name, minute, events: object.events, sizeBytes });
    }
  };
  await Promise.all(Array.from({ length: WRITES_IN_FLIGHT }, work));
  return written;
}
