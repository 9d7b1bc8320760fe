// SPDX-License-Identifier: Apache-2.0
/** One file of a backfill, archived: the first step of `viewmill backfill`. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { archiveObjectName, BACKFILL_WRITER } from "../../domain/archive-name";
import { type MinuteRun, minuteRuns } from "../../domain/columns/event-columns";
import { isExpired } from "../../domain/rules/ledger-books";
import { MINUTES_AN_HOUR } from "../../domain/rules/time";
import { type KnownEventTypes, settled } from "../../intake/known-types";
import { CONTRACT_LIMITS, type IntakeLimits } from "../../intake/limits";
import { lineBlocks } from "../../intake/line-blocks";
import { type Line, linesOf } from "../../intake/lines";
import { takeLines } from "../../intake/take-lines";
import type { IntakeRules, RejectedEvent, TakenEvents } from "../../intake/taken";
import { inParallel } from "../../io/flow/in-parallel";
import { ArchiveObjectWriter } from "../../io/formats/avro/archive-object";
import type { Archive, ArchivedObject, DeadLetters, Ledger, NewDeadLetter } from "../../io/ports";

interface BackfilledFile {
  accepted: number;
  rejected: number;
  minutes: Set<number>;
}

export interface ArchiveFileDependencies {
  archive: Archive;
  ledger: Ledger;
  deadLetters: DeadLetters;
  clock: () => number;
  limits?: IntakeLimits;
  /** Absent: every event type is taken. */
  eventTypes?: KnownEventTypes;
}

/** The number of lines taken together. Their events of one minute become one object. */
const CHUNK_LINES = 200_000;
/** The number of bytes up to which lines are taken together, because their events are in memory. */
const CHUNK_BYTES = 128 << 20;
/** The number of minutes that are listed in one transaction, and whose objects are in memory together. */
const MINUTES_AT_ONCE = 500;
const READ_BYTES = 1 << 20;
const WRITES_IN_FLIGHT = 8;

/**
 * Archives an NDJSON file of events of any age, by the rules of the write API. Objects are named after the bytes of
 * their lines, so backfilling the same file again replaces the same objects. An event needs a time of its own
 * (eventTime, or a UUIDv7 id), because no receipt can stamp it. A bad line goes to the dead letters, whole, with its
 * number in the file. Each step is durable before the next begins: dead letters, then the listing of objects in the
 * ledger, then the objects. So the books are open from before the first object to the count, wherever a run is stopped;
 * the next run finds the objects that are listed and not written (settle-listings.ts).
 */
export async function archiveFile(
  path: string,
  deps: ArchiveFileDependencies,
  onProgress: (bytes: number) => void,
): Promise<BackfilledFile> {
  const { maxBodyBytes } = deps.limits ?? CONTRACT_LIMITS;
  const result: BackfilledFile = { accepted: 0, rejected: 0, minutes: new Set() };
  let chunk: Line[] = [];
  let oversize: Line[] = [];
  let chunkBytes = 0;
  const flush = async () => {
    await archiveChunk(path, { lines: chunk, oversize }, deps, result);
    [chunk, oversize, chunkBytes] = [[], [], 0];
  };
  const input = createReadStream(path, { highWaterMark: READ_BYTES });
  for await (const block of lineBlocks(input, { maxLines: CHUNK_LINES, maxLineBytes: maxBodyBytes })) {
    if ("oversize" in block) {
      oversize.push({ number: block.firstLine, bytes: block.oversize });
      continue;
    }
    for (const line of linesOf(block.bytes, block.firstLine)) {
      if (line.bytes.length > maxBodyBytes) oversize.push({ ...line, bytes: line.bytes.subarray(0, 64 << 10) });
      else chunk.push(line);
      if (chunk.length === CHUNK_LINES) await flush();
    }
    chunkBytes += block.bytes.length;
    if (chunkBytes >= CHUNK_BYTES) await flush();
    onProgress(block.bytes.length);
  }
  await flush();
  return result;
}

async function archiveChunk(
  path: string,
  { lines, oversize }: { lines: readonly Line[]; oversize: readonly Line[] },
  deps: ArchiveFileDependencies,
  result: BackfilledFile,
): Promise<void> {
  if (lines.length + oversize.length === 0) return;
  const receivedAtMs = deps.clock();
  const limits = deps.limits ?? CONTRACT_LIMITS;
  const rules: IntakeRules = {
    receivedAtMs,
    rawRetentionMs: Number.POSITIVE_INFINITY,
    limits,
    untimed: { kind: "refuse", detail: "a backfilled event needs its own time" },
  };
  const bytes = lines.map((line) => line.bytes);
  const taken = await settled(deps.eventTypes, (rule) => takeLines(bytes, { ...rules, ...rule }));
  if (taken.kind !== "events") throw new Error(`lines of a file gave ${taken.kind}`);
  const { columns, rejected } = taken;
  const fileName = `${BACKFILL_WRITER}-${digestOf(lines)}.avro`;
  const runsOf = Map.groupBy(minuteRuns(columns), ({ minute }) => minute);
  const dead = [
    ...rejected.map((each) => deadLetter(each, `${path}:${lines[each.index]!.number}`, receivedAtMs)),
    ...oversize.map(({ number, bytes }) => oversizeLetter(bytes, `${path}:${number}`, limits, receivedAtMs)),
  ];
  // Letters are durable before any object is listed. Where all objects of the chunk are listed, an earlier run has
  // appended the letters.
  if (dead.length > 0 && !(await isListed(deps.ledger, runsOf.keys(), fileName))) await deps.deadLetters.append(dead);
  result.accepted += columns.count;
  result.rejected += dead.length;
  const minutes = [...runsOf.keys()].sort((a, b) => a - b);
  for (const minute of minutes) result.minutes.add(minute);
  for (let from = 0; from < minutes.length; from += MINUTES_AT_ONCE) {
    await writeMinutes(minutes.slice(from, from + MINUTES_AT_ONCE), { fileName, taken, runsOf }, deps);
  }
}

interface Chunk {
  fileName: string;
  taken: TakenEvents;
  runsOf: ReadonlyMap<number, readonly MinuteRun[]>;
}

/**
 * Lists the objects of these minutes, then writes them. An object of the same lines that expired stays as it is: its
 * events are in the roll-ups, and would be counted once more.
 */
async function writeMinutes(
  asked: readonly number[],
  { fileName, taken: { columns, receivedAtMs }, runsOf }: Chunk,
  { archive, ledger }: ArchiveFileDependencies,
): Promise<void> {
  const expired = await expiredMinutes(ledger, asked, fileName);
  const minutes = asked.filter((minute) => !expired.has(minute));
  if (minutes.length === 0) return;
  const objects = minutes.map((minute) => {
    const object = new ArchiveObjectWriter(fileName);
    for (const { from, to } of runsOf.get(minute)!)
      for (let row = from; row < to; row++) object.add(columns, row, receivedAtMs);
    return { minute, events: object.events, content: object.finish() };
  });
  const listed = objects.map(({ minute, events, content }): ArchivedObject => {
    return { name: archiveObjectName(minute, fileName), minute, events, sizeBytes: content.length };
  });
  await ledger.addObjects(listed, minutes);
  await inParallel(objects, WRITES_IN_FLIGHT, ({ minute, content }) => archive.write(minute, fileName, content));
}

async function expiredMinutes(ledger: Ledger, minutes: readonly number[], fileName: string): Promise<Set<number>> {
  const expired = new Set<number>();
  for (const hour of new Set(minutes.map((minute) => Math.floor(minute / MINUTES_AN_HOUR)))) {
    const from = hour * MINUTES_AN_HOUR;
    for (const object of await ledger.archivedObjects(from, from + MINUTES_AN_HOUR)) {
      if (isExpired(object) && object.name === archiveObjectName(object.minute, fileName)) expired.add(object.minute);
    }
  }
  return expired;
}

/**
 * Returns the digest after which objects are named since the first version: that of the lines without spaces and
 * carriage returns at their ends.
 */
function digestOf(lines: readonly Line[]): string {
  const digest = createHash("sha256");
  for (const { bytes } of lines) {
    let end = bytes.length;
    while (end > 0 && (bytes[end - 1] === 13 || bytes[end - 1] === 32)) end--;
    digest.update(bytes.subarray(0, end)).update("\n");
  }
  return digest.digest("hex").slice(0, 24);
}

/** Returns whether the ledger lists an object of this name for each minute. */
async function isListed(ledger: Ledger, minutes: Iterable<number>, fileName: string): Promise<boolean> {
  let any = false;
  for (const minute of minutes) {
    const name = archiveObjectName(minute, fileName);
    const objects = await ledger.archivedObjects(minute, minute + 1);
    if (!objects.some((object) => object.name === name)) return false;
    any = true;
  }
  return any;
}

function deadLetter(
  { eventId, reason, detail, payload, contentType }: RejectedEvent,
  where: string,
  receivedAtMs: number,
): NewDeadLetter {
  const type = contentType === "application/x-ndjson" ? "application/json" : contentType;
  const letter = { receivedAtMs, reason, detail: `${where}: ${detail}`, payload, contentType: type };
  return { ...letter, source: "ingest", ...(eventId === null ? {} : { eventId }) };
}

/** Makes the letter of a line that no body and no message may hold; the letter keeps the line's beginning. */
function oversizeLetter(
  payload: Uint8Array,
  where: string,
  { maxBodyBytes }: IntakeLimits,
  receivedAtMs: number,
): NewDeadLetter {
  const detail = `${where}: the line is longer than ${maxBodyBytes} bytes; only its beginning is kept here`;
  return { receivedAtMs, reason: "too-large", detail, payload, contentType: "application/json", source: "ingest" };
}
