// SPDX-License-Identifier: Apache-2.0
import type { EventColumns } from "../../domain/columns/event-columns";
import { minuteOf } from "../../domain/event";
import type { KnownEventTypes } from "../../intake/known-types";
import type { MessageRules } from "../../intake/take-message";
import { inParallel } from "../../io/flow/in-parallel";
import { ArchiveObjectWriter } from "../../io/formats/avro/archive-object";
import type { Archive, ArchivedObject, Ledger, LogMessage, LogPortion } from "../../io/ports";
import { readSettledMessage } from "../../transforms/read-message";

export interface ArchivedPortion {
  name: string;
  messages: number;
  events: number;
  objects: number;
  /** Messages that cannot be read as events; the stream makes dead letters of them. */
  undecodable: number;
  /** Events that break the contract, of messages that can be read; likewise. */
  leftOut: number;
  /** Messages that came past the write API: they declare nothing. */
  undeclared: number;
}

/** The batch a message stands for: itself, or what its reference leads to. Undefined: the reference leads nowhere. */
export type PayloadOf = (message: LogMessage) => Promise<Uint8Array | undefined>;

interface PortionDependencies {
  archive: Archive;
  ledger: Ledger;
  payloadOf: PayloadOf;
  /** As the stream's (DecodeOptions): both must judge alike. */
  rules?: MessageRules;
  /** Absent: every event type is taken. */
  eventTypes?: KnownEventTypes;
}

const WRITES_IN_FLIGHT = 8;

/** One minute of a portion: its object, and the books of the messages it came from. */
interface MinutePart {
  object: ArchiveObjectWriter;
  accepted: number;
  /** Of direct producers' messages. */
  direct: number;
  /**
   * When the first of its messages was appended: before that nobody can have been told that its events are accepted.
   */
  acceptedSinceMs: number;
  messages: NonNullable<ArchivedObject["messages"]>;
}

/**
 * Writes a portion as one object for each minute of event time and lists them. Events that break the contract are left
 * out, as are messages that cannot be read: the stream, which reads the same log, makes the dead letters. What a
 * message declared as accepted is booked all the same, so that the ledger shows the gap.
 */
export async function archivePortion(portion: LogPortion, deps: PortionDependencies): Promise<ArchivedPortion> {
  const fileName = `${portion.name}.avro`;
  const parts = new Map<number, MinutePart>();
  const seen = { undecodable: 0, leftOut: 0, undeclared: 0 };
  for (const message of new Map(portion.messages.map((each) => [each.id, each])).values()) {
    const payload = await deps.payloadOf(message);
    if (message.acceptedByMinute === undefined) seen.undeclared++;
    const checked =
      payload === undefined
        ? undefined
        : await readSettledMessage(payload, message.appendedAtMs, deps.rules, deps.eventTypes);
    if (checked === undefined || checked.unreadable) seen.undecodable++;
    else seen.leftOut += checked.dead.length;
    const counted = checked === undefined ? new Map() : addRows(parts, fileName, checked.columns, checked.receivedAtMs);
    book(parts, fileName, message, counted);
  }
  const objects = await writeAll(deps.archive, fileName, parts, portion.exact);
  if (objects.length > 0) await deps.ledger.addObjects(objects, [...parts.keys()]);
  const events = objects.reduce((sum, object) => sum + object.events, 0);
  return { name: portion.name, messages: portion.messages.length, events, objects: objects.length, ...seen };
}

/** Adds the message's events; returns how many each minute got. */
function addRows(
  parts: Map<number, MinutePart>,
  fileName: string,
  columns: EventColumns,
  receivedAtMs: number,
): Map<number, number> {
  const counted = new Map<number, number>();
  let minute = Number.NaN;
  let object: ArchiveObjectWriter | undefined;
  let from = 0;
  for (let row = 0; row < columns.count; row++) {
    const itsMinute = minuteOf(columns.timesMs[row]!);
    if (object === undefined || itsMinute !== minute) {
      if (row > from) counted.set(minute, (counted.get(minute) ?? 0) + row - from);
      from = row;
      minute = itsMinute;
      object = partOf(parts, fileName, minute).object;
    }
    object.add(columns, row, receivedAtMs);
  }
  if (columns.count > from) counted.set(minute, (counted.get(minute) ?? 0) + columns.count - from);
  return counted;
}

/** A direct producer declares nothing: what of its message can be archived counts as accepted, and is told apart. */
function book(
  parts: Map<number, MinutePart>,
  fileName: string,
  message: LogMessage,
  counted: ReadonlyMap<number, number>,
): void {
  const declared = message.acceptedByMinute ?? counted;
  for (const minute of new Set([...declared.keys(), ...counted.keys()])) {
    const part = partOf(parts, fileName, minute);
    const accepted = declared.get(minute) ?? 0;
    const direct = message.acceptedByMinute === undefined ? accepted : 0;
    part.accepted += accepted;
    part.direct += direct;
    part.acceptedSinceMs = Math.min(part.acceptedSinceMs, message.appendedAtMs);
    const events = counted.get(minute) ?? 0;
    part.messages.push({ id: message.id, events, accepted, ...(direct > 0 && { direct }) });
  }
}

function partOf(parts: Map<number, MinutePart>, fileName: string, minute: number): MinutePart {
  let part = parts.get(minute);
  if (part === undefined) {
    const object = new ArchiveObjectWriter(fileName);
    part = { object, accepted: 0, direct: 0, acceptedSinceMs: Number.POSITIVE_INFINITY, messages: [] };
    parts.set(minute, part);
  }
  return part;
}

async function writeAll(
  archive: Archive,
  fileName: string,
  parts: ReadonlyMap<number, MinutePart>,
  exact: boolean,
): Promise<ArchivedObject[]> {
  return inParallel(parts, WRITES_IN_FLIGHT, async ([minute, { object, ...part }]) => {
    const { name, sizeBytes } = await archive.write(minute, fileName, object.finish());
    const { accepted, direct, acceptedSinceMs, messages } = part;
    const booked = { accepted, ...(direct > 0 && { direct }), acceptedSinceMs };
    const listed = { name, minute, events: object.events, sizeBytes, ...booked };
    return exact ? listed : { ...listed, messages };
  });
}
