import { Type, types } from "avsc";
import { inflate } from "../io/compression/inflate";

/**
 * The audit's own way to count a minute, on purpose unlike the stream's: a library decodes the archive's plain rows, strings are keys of
 * Maps, sums are bigint. It shares no decoding, dedup or counting code with the stream, so that a mistake there cannot hide here.
 */
export interface RecountedCell {
  videoId: string;
  eventType: string;
  count: number;
  sum: bigint;
  /** Distinct events that have a value. */
  valued: number;
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
  /** The largest of the repeats'; null: none has one. */
  value: bigint | null;
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
    eachRow(content, (row) => this.add(row, allowedLatenessMs));
    return this.events - before;
  }

  private add({ eventId, videoId, eventType, eventTime, value, receivedAt }: Row, allowedLatenessMs: number): void {
    if (Math.floor(eventTime / 60_000) !== this.minute) throw new Error(`event ${eventId} is of another minute`);
    this.events++;
    if (allowedLatenessMs >= 0 && receivedAt - eventTime > allowedLatenessMs) return;
    const cell = this.cell(videoId, eventType);
    cell.lastMsInMinute = Math.max(cell.lastMsInMinute, eventTime % 60_000);
    const amount = value === null ? null : BigInt(value);
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
    } else this.repeat(same, amount);
  }

  private repeat(seen: Seen, value: bigint | null): void {
    const before = seen.value;
    if (value === null || (before !== null && value <= before)) return;
    if (before === null) seen.cell.valued++;
    seen.cell.sum += value - (before ?? 0n);
    seen.value = value;
  }

  private first(cell: RecountedCell, value: bigint | null): Seen {
    this.distinct++;
    cell.count++;
    if (value !== null) cell.valued++;
    cell.sum += value ?? 0n;
    return { cell, value };
  }

  private cell(videoId: string, eventType: string): RecountedCell {
    const name = `${videoId} ${eventType}`;
    let cell = this.cells.get(name);
    if (cell === undefined) {
      cell = { videoId, eventType, count: 0, sum: 0n, valued: 0, lastMsInMinute: 0 };
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

/** A block of the container: its rows are compressed as the header says. */
const blockType = Type.forSchema({
  type: "record",
  name: "Block",
  fields: [
    { name: "count", type: "long" },
    { name: "rows", type: "bytes" },
    { name: "sync", type: { type: "fixed", name: "BlockSync", size: 16 } },
  ],
});

/** A block that claims to be larger decompressed is refused (ours are about 1 MiB). */
const MAX_BLOCK_BYTES = 64 << 20;

interface Header {
  magic: Buffer;
  meta: Record<string, Buffer>;
  sync: Buffer;
}

interface Block {
  count: number;
  rows: Buffer;
  sync: Buffer;
}

/** The value at `at` and where the next begins. avsc says of a value that is cut only that it has none. */
function decoded<T>(type: Type, bytes: Buffer, at: number, what: string): { value: T; end: number } {
  const { value, offset } = type.decode(bytes, at) as { value?: T; offset: number };
  if (value === undefined || offset < 0) throw new Error(`the object is cut: ${what} is not whole`);
  return { value, end: offset };
}

/** avsc's own decoder of containers takes a cut object for a short one, and leaves what follows the rows of a block. */
function eachRow(object: Uint8Array, onRow: (row: Row) => void): void {
  const content = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  const { value: header, end } = decoded<Header>(headerType, content, 0, "the header");
  if (header.magic.toString("latin1") !== "Obj\u0001") throw new Error("not an Avro object container file");
  const schema = JSON.parse(String(header.meta["avro.schema"])) as never;
  const rowType = Type.forSchema(schema, { registry: { long: safeLong }, wrapUnions: false });
  for (let at = end; at < content.length; ) {
    const block = decoded<Block>(blockType, content, at, "a block");
    if (!block.value.sync.equals(header.sync)) throw new Error("a block does not end in the sync marker");
    const rows = unpacked(block.value.rows, String(header.meta["avro.codec"] ?? "null"));
    let rowAt = 0;
    for (let row = 0; row < block.value.count; row++) {
      const { value, end: rowEnd } = decoded<Row>(rowType, rows, rowAt, "a row");
      onRow(value);
      rowAt = rowEnd;
    }
    if (rowAt !== rows.length) throw new Error(`${rows.length - rowAt} bytes are left over after the rows of a block`);
    at = block.end;
  }
}

function unpacked(rows: Buffer, codec: string): Buffer {
  if (codec === "null") return rows;
  if (codec !== "zstandard") throw new Error(`codec ${codec} is not known`);
  return inflate(rows, "zstd", { maxBytes: MAX_BLOCK_BYTES });
}
