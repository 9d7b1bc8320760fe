// SPDX-License-Identifier: Apache-2.0
/**
 * One portion of the log made into archive objects. The archiver calls it for every portion that it reads, before it
 * acknowledges the portion.
 */
import { type EventColumns, minuteRuns } from "../../domain/columns/event-columns";
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
  /** Messages that cannot be read as events; the stream makes them dead letters. */
  undecodable: number;
  /** Events that break the contract, in messages that can be read. The stream makes them dead letters, too. */
  leftOut: number;
  /** Messages that did not pass the write API, and declare no events. */
  undeclared: number;
}

/**
 * Returns the batch of a message: the message itself, or the claim that it refers to. Resolves with undefined where the
 * claim is missing.
 */
export type PayloadOf = (message: LogMessage) => Promise<Uint8Array | undefined>;

interface PortionDependencies {
  archive: Archive;
  ledger: Ledger;
  payloadOf: PayloadOf;
  /** The rules of the stream (DecodeOptions): both readers must judge alike. */
  rules?: MessageRules;
  /** Absent: every event type is taken. */
  eventTypes?: KnownEventTypes;
}

const WRITES_IN_FLIGHT = 8;

/** One minute of a portion: its object, and the books of its messages. */
interface MinutePart {
  object: ArchiveObjectWriter;
  accepted: number;
  /** Events of direct producers' messages. */
  direct: number;
  /**
   * The append time of the minute's first message. Before that time no producer can have been told that these events
   * are accepted.
   */
  acceptedSinceMs: number;
  messages: NonNullable<ArchivedObject["messages"]>;
}

/**
 * Writes a portion as one object for each minute of event time and lists the objects. Events that break the contract
 * and messages that cannot be read are left out: the stream, which reads the same log, makes the dead letters. The
 * events that a message declares as accepted are booked all the same, so that the ledger shows the gap.
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

/** Adds the message's events; returns the number of events of each minute. */
function addRows(
  parts: Map<number, MinutePart>,
  fileName: string,
  columns: EventColumns,
  receivedAtMs: number,
): Map<number, number> {
  const counted = new Map<number, number>();
  for (const { minute, from, to } of minuteRuns(columns)) {
    const { object } = partOf(parts, fileName, minute);
    for (let row = from; row < to; row++) object.add(columns, row, receivedAtMs);
    counted.set(minute, (counted.get(minute) ?? 0) + to - from);
  }
  return counted;
}

/**
 * Books a message. A direct producer declares no number, so its archivable events count as accepted, and are booked as
 * direct.
 */
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
