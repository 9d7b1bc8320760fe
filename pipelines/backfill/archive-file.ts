import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { BACKFILL_WRITER } from "../../domain/archive-name";
import { minuteOf, parseEvent, type VideoEvent } from "../../domain/event";
import { EventColumnsBuilder } from "../../domain/event-columns";
import type { RejectionReason } from "../../domain/rejection";
import { ArchiveObjectWriter } from "../../io/avro/archive-object";
import { inParallel } from "../../io/flow/in-parallel";
import type { Archive, ArchivedObject, DeadLetters, Ledger, NewDeadLetter } from "../../io/ports";

export interface BackfilledFile {
  accepted: number;
  rejected: number;
  minutes: Set<number>;
}

/** Lines taken together: their events of one minute become one object. */
const CHUNK_LINES = 200_000;
const MAX_LINE_BYTES = 64 << 10;
/** Beyond this a file is taken for something else than lines. */
const MAX_REST_BYTES = 8 << 20;
const WRITES_IN_FLIGHT = 8;

interface Line {
  number: number;
  bytes: Buffer;
}

/**
 * Archives an NDJSON file of events of any age. Objects are named after the bytes they came from, so backfilling the same file again
 * replaces the same objects. An event needs a time of its own (eventTime, or a UUIDv7 id): there is no receipt to stamp it with. A bad
 * line goes to the dead letters, whole.
 */
export async function archiveFile(
  path: string,
  deps: { archive: Archive; state: Ledger; deadLetters: DeadLetters; clock: () => number },
  onProgress: (bytes: number) => void,
): Promise<BackfilledFile> {
  const result: BackfilledFile = { accepted: 0, rejected: 0, minutes: new Set() };
  let chunk: Line[] = [];
  const flush = async () => {
    const lines = chunk;
    chunk = [];
    if (lines.length > 0) await archiveChunk(path, lines, deps, result);
  };
  for await (const line of linesOf(path, onProgress)) {
    chunk.push(line);
    if (chunk.length >= CHUNK_LINES) await flush();
  }
  await flush();
  return result;
}

async function archiveChunk(
  path: string,
  lines: readonly Line[],
  {
    archive,
    state,
    deadLetters,
    clock,
  }: { archive: Archive; state: Ledger; deadLetters: DeadLetters; clock: () => number },
  result: BackfilledFile,
): Promise<void> {
  const receivedAtMs = clock();
  const digest = createHash("sha256");
  const byMinute = new Map<number, EventColumnsBuilder>();
  const dead: NewDeadLetter[] = [];
  for (const { number, bytes } of lines) {
    digest.update(bytes).update("\n");
    const parsed = parseLine(bytes, receivedAtMs);
    if ("reason" in parsed) {
      dead.push(deadLetter(parsed, `${path}:${number}: ${parsed.detail}`, bytes, receivedAtMs));
      continue;
    }
    const minute = minuteOf(parsed.eventTimeMs);
    let columns = byMinute.get(minute);
    if (columns === undefined) {
      columns = new EventColumnsBuilder();
      byMinute.set(minute, columns);
    }
    columns.add(parsed);
    result.accepted++;
  }
  await deadLetters.append(dead);
  result.rejected += dead.length;
  const objects = await writeObjects(
    archive,
    `${BACKFILL_WRITER}-${digest.digest("hex").slice(0, 24)}.avro`,
    byMinute,
    receivedAtMs,
  );
  await state.addObjects(objects, [...byMinute.keys()]);
  for (const minute of byMinute.keys()) result.minutes.add(minute);
}

type Refused = { eventId: string | null; reason: RejectionReason; detail: string };

function parseLine(bytes: Buffer, receivedAtMs: number): VideoEvent | Refused {
  if (bytes.length > MAX_LINE_BYTES)
    return { eventId: null, reason: "too-large", detail: "the line is longer than 64 KiB" };
  let raw: unknown;
  try {
    raw = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    return { eventId: null, reason: "not-json", detail: (error as Error).message };
  }
  const parsed = parseEvent(raw, { receivedAtMs, rawRetentionMs: Number.POSITIVE_INFINITY });
  if (!parsed.ok) return parsed;
  if (parsed.stampNeeded) {
    return {
      eventId: parsed.event.eventId,
      reason: "missing-field",
      detail: "eventTime is missing: a backfilled event needs its own time",
    };
  }
  return parsed.event;
}

function deadLetter(
  { eventId, reason }: Refused,
  detail: string,
  payload: Buffer,
  receivedAtMs: number,
): NewDeadLetter {
  const letter: NewDeadLetter = {
    receivedAtMs,
    reason,
    detail,
    payload,
    contentType: "application/json",
    source: "ingest",
  };
  if (eventId !== null) letter.eventId = eventId;
  return letter;
}

async function writeObjects(
  archive: Archive,
  fileName: string,
  byMinute: ReadonlyMap<number, EventColumnsBuilder>,
  receivedAtMs: number,
): Promise<ArchivedObject[]> {
  return inParallel(byMinute, WRITES_IN_FLIGHT, async ([minute, builder]) => {
    const columns = builder.build();
    const object = new ArchiveObjectWriter(fileName);
    for (let row = 0; row < columns.count; row++) object.add(columns, row, receivedAtMs);
    const { name, sizeBytes } = await archive.write(minute, fileName, object.finish());
    return { name, minute, events: columns.count, sizeBytes };
  });
}

/** The file's lines, blank ones left out, each whole. */
async function* linesOf(path: string, onProgress: (bytes: number) => void): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0);
  let number = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) {
    const bytes = rest.length === 0 ? (piece as Buffer) : Buffer.concat([rest, piece as Buffer]);
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      number++;
      const line = trimmed(bytes.subarray(from, end));
      if (line.length > 0) yield { number, bytes: line };
      from = end + 1;
    }
    rest = bytes.subarray(from);
    if (rest.length > MAX_REST_BYTES)
      throw new Error(`${path}:${number + 1}: a line of more than 8 MiB: is this NDJSON?`);
    onProgress((piece as Buffer).length);
  }
  const line = trimmed(rest);
  if (line.length > 0) yield { number: number + 1, bytes: line };
}

function trimmed(line: Buffer): Buffer {
  let end = line.length;
  while (end > 0 && (line[end - 1] === 13 || line[end - 1] === 32)) end--;
  return line.subarray(0, end);
}
