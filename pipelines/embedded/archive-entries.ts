import { minuteOf } from "../../domain/event";
import type { EventColumns } from "../../domain/event-columns";
import { ArchiveObjectWriter } from "../../io/avro/archive-object";
import { encodeBatch } from "../../io/avro/batch";
import { inParallel } from "../../io/flow/in-parallel";
import type { Archive, ArchivedObject, DeadLetters, LogEntry } from "../../io/ports";
import { checkedBatch } from "../../transforms/checked-batch";

const WRITES_IN_FLIGHT = 8;

/**
 * Archives a range of the log: one object for each minute of event time it touches, named after the range, so that doing it again after a
 * crash writes the same objects. An entry that cannot be decoded, and an event that breaks the contract, becomes a dead letter, whole;
 * `payloads` are the entries without these, so that the graph does not find them again.
 */
export async function archiveEntries(
  entries: readonly LogEntry[],
  writer: string,
  archive: Archive,
  deadLetters: DeadLetters,
): Promise<{ objects: ArchivedObject[]; payloads: Uint8Array[] }> {
  const first = entries[0]!.position;
  const last = entries[entries.length - 1]!.position;
  const fileName = `${writer}-${String(first).padStart(12, "0")}-${String(last).padStart(12, "0")}.avro`;
  const objects = new Map<number, ArchiveObjectWriter>();
  const payloads: Uint8Array[] = [];
  for (const { position, payload, appendedAtMs } of entries) {
    const { columns, dead, ...header } = checkedBatch(payload, appendedAtMs);
    addRows(objects, fileName, columns, header.receivedAtMs);
    if (columns.count > 0) payloads.push(dead.length === 0 ? payload : encodeBatch(columns, header));
    if (dead.length > 0) {
      const letters = dead.map((letter) => ({ ...letter, detail: `log entry ${position}: ${letter.detail}` }));
      await deadLetters.append(letters.map((letter) => ({ ...letter, source: "pipeline" })));
    }
  }
  return { objects: await writeAll(archive, fileName, [...objects]), payloads };
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
  return inParallel(objects, WRITES_IN_FLIGHT, async ([minute, object]) => {
    const { name, sizeBytes } = await archive.write(minute, fileName, object.finish());
    return { name, minute, events: object.events, sizeBytes };
  });
}
