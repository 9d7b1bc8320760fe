import { zstdDecompressSync } from "node:zlib";
import { streams, Type, types } from "avsc";

/**
 * The audit's own way to count a minute, on purpose unlike the stream's: a library decodes the archive's plain rows, strings are keys of
 * Maps, sums are bigint. It shares no decoding, dedup or counting code with the stream, so that a mistake there cannot hide here.
 */
export interface RecountedCell {
  videoId: string;
  eventType: string;
  count: number;
  sum: bigint;
  /** Latest event time, milliseconds within the minute. */
  lastMsInMinute: number;
}

export interface Recount {
  events: number;
  distinct: number;
  /** Ids that stand for more than one (video, type) in the minute, each further one counted. */
  reusedIds: number;
  /** Key: `videoId eventType`. */
  cells: Map<string, RecountedCell>;
  /** The distinct event ids, for reuse across minutes. */
  eventIds: Iterable<string>;
}

interface Row {
  eventId: string;
  videoId: string;
  eventType: string;
  eventTime: number;
  value: number | null;
  receivedAt: number;
}

interface Seen {
  cell: RecountedCell;
  value: bigint;
}

/** One JavaScript Map ends at 2^24 entries; ids are spread over several. */
const MAPS = 64;

export class MinuteRecount {
  private events = 0;
  private distinct = 0;
  private reusedIds = 0;
  private readonly cells = new Map<string, RecountedCell>();
  private readonly seen = Array.from({ length: MAPS }, () => new Map<string, Seen | Seen[]>());

  constructor(private readonly minute: number) {}

  /**
   * Counts an object's rows. Throws where the object is cut, damaged or holds an event of another minute. Returns its events. Those that were
   * received more than `allowedLatenessMs` (-1: any time) after theirs are late: among the events, and not counted.
   */
  async addObject(content: Uint8Array, allowedLatenessMs = -1): Promise<number> {
    const before = this.events;
    await eachRow(content, (row) => this.add(row, allowedLatenessMs));
    return this.events - before;
  }

  private add({ eventId, videoId, eventType, eventTime, value, receivedAt }: Row, allowedLatenessMs: number): void {
    if (Math.floor(eventTime / 60_000) !== this.minute) throw new Error(`event ${eventId} is of another minute`);
    this.events++;
    if (allowedLatenessMs >= 0 && receivedAt - eventTime > allowedLatenessMs) return;
    const cell = this.cell(videoId, eventType);
    cell.lastMsInMinute = Math.max(cell.lastMsInMinute, eventTime % 60_000);
    const amount = value === null ? 0n : BigInt(value);
    const map = this.seen[mapOf(eventId)]!;
    const known = map.get(eventId);
    if (known === undefined) {
      map.set(eventId, this.first(cell, amount));
      return;
    }
    const seen = Array.isArray(known) ? known : [known];
    const same = seen.find((each) => each.cell === cell);
    if (same === undefined) {
      this.reusedIds++;
      map.set(eventId, [...seen, this.first(cell, amount)]);
    } else if (amount > same.value) {
      cell.sum += amount - same.value;
      same.value = amount;
    }
  }

  private first(cell: RecountedCell, value: bigint): Seen {
    this.distinct++;
    cell.count++;
    cell.sum += value;
    return { cell, value };
  }

  private cell(videoId: string, eventType: string): RecountedCell {
    const name = `${videoId} ${eventType}`;
    let cell = this.cells.get(name);
    if (cell === undefined) {
      cell = { videoId, eventType, count: 0, sum: 0n, lastMsInMinute: 0 };
      this.cells.set(name, cell);
    }
    return cell;
  }

  finish(): Recount {
    const { events, distinct, reusedIds, cells, seen } = this;
    return { events, distinct, reusedIds, cells, eventIds: allKeys(seen) };
  }
}

function* allKeys(maps: Map<string, unknown>[]): Generator<string> {
  for (const map of maps) yield* map.keys();
}

function mapOf(eventId: string): number {
  let hash = eventId.length;
  for (let i = 0; i < eventId.length; i++) hash = (hash * 31 + eventId.charCodeAt(i)) | 0;
  return (hash >>> 0) % MAPS;
}

/** avsc reads longs beyond 2^53 with this; our values never are, and one that is must fail loudly. */
const safeLong = types.LongType.__with({
  fromBuffer: (bytes: Buffer) => {
    const value = Number(bytes.readBigInt64LE());
    if (!Number.isSafeInteger(value)) throw new Error("a number beyond 2^53 is in the archive");
    return value;
  },
  toBuffer: (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  },
  fromJSON: Number,
  toJSON: Number,
  isValid: Number.isSafeInteger,
  compare: (a: number, b: number) => a - b,
});

/** The container's header (Avro 1.12 specification, "Object container files"). */
const headerType = Type.forSchema({
  type: "record",
  name: "Header",
  fields: [
    { name: "magic", type: { type: "fixed", name: "Magic", size: 4 } },
    { name: "meta", type: { type: "map", values: "bytes" } },
    { name: "sync", type: { type: "fixed", name: "Sync", size: 16 } },
  ],
});

/** avsc's decoder takes a cut object for a short one; a whole one ends in the sync marker of its header. */
function checkWhole(content: Buffer): void {
  const header = headerType.decode(content, 0) as { value?: { magic: Buffer; sync: Buffer }; offset: number };
  if (header.value === undefined || header.offset < 0 || header.value.magic.toString("latin1") !== "Obj\u0001") {
    throw new Error("not an Avro object container file");
  }
  if (!content.subarray(-16).equals(header.value.sync)) throw new Error("the object is cut");
}

function eachRow(object: Uint8Array, onRow: (row: Row) => void): Promise<void> {
  const content = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  checkWhole(content);
  return new Promise((resolve, reject) => {
    const decoder = new streams.BlockDecoder({
      codecs: {
        null: (data: Buffer, done: (error: Error | null, out?: Buffer) => void) => done(null, data),
        zstandard: (data: Buffer, done: (error: Error | null, out?: Buffer) => void) => {
          try {
            done(null, zstdDecompressSync(data));
          } catch (error) {
            done(error as Error);
          }
        },
      },
      parseHook: (schema: unknown) =>
        Type.forSchema(schema as never, { registry: { long: safeLong }, wrapUnions: false }),
    } as never);
    decoder.on("data", (row: Row) => {
      try {
        onRow(row);
      } catch (error) {
        decoder.destroy(error as Error);
      }
    });
    decoder.on("error", reject);
    decoder.on("end", resolve);
    decoder.end(content);
  });
}
