// SPDX-License-Identifier: Apache-2.0
/**
 * Cells as a Parquet file: rows by videoId, event type and time, in row groups that are small enough for a point read,
 * with whole statistics, so that a reader finds a video's rows by the footer. DuckDB, BigQuery, Spark and pyarrow read
 * it as a table. `viewmill tier` and `viewmill export` write such files, and the counters of a deployment with roll-ups
 * read them.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { RollUpBytes } from "../../ports";
import { CellColumns } from "./cell-columns";

type FileMetaData = Awaited<ReturnType<Awaited<ReturnType<typeof parquet>>["parquetMetadataAsync"]>>;
type SchemaElement = FileMetaData["schema"][number];
type ParquetScan = Awaited<ReturnType<Awaited<ReturnType<typeof parquet>>["parquetScan"]>>;
/** Loaded when the first file is read or written, because most processes use none. */
const parquet = () => import("hyparquet");

const ROWS_A_GROUP = 4_096;
/** Of a column, before compression: a video's rows are read without most others of their row group. */
const PAGE_BYTES = 8 << 10;
/** Read at once: the footer of most files, and the indexes of pages before it. */
const TAIL_BYTES = 256 << 10;
/** What a footer takes in memory, for each of its bytes. */
const FOOTER_WEIGHT = 6;
const MAX_NAME_BYTES = 128;
/** Every reader of zstd checks it: a page whose bytes have changed is an error, and no other number. */
const WITH_CHECKSUM = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

const required = (name: string, rest: Omit<SchemaElement, "name">): SchemaElement => ({
  name,
  repetition_type: "REQUIRED",
  ...rest,
});

/** `sum` is complete unless it is beyond 64 bits; then the value is sum_high * 2^64 + sum. */
const SCHEMA: SchemaElement[] = [
  { name: "root", num_children: 8 },
  required("video_id", { type: "BYTE_ARRAY", converted_type: "UTF8" }),
  required("event_type", { type: "BYTE_ARRAY", converted_type: "UTF8" }),
  required("start", { type: "INT64", converted_type: "TIMESTAMP_MILLIS" }),
  required("count", { type: "INT64" }),
  required("valued", { type: "INT64" }),
  required("sum", { type: "INT64" }),
  required("sum_high", { type: "INT64" }),
  required("revision", { type: "INT32" }),
];
const EXPORT_SCHEMA: SchemaElement[] = [
  { name: "root", num_children: 9 },
  ...SCHEMA.slice(1),
  required("state", { type: "BYTE_ARRAY", converted_type: "UTF8" }),
];
const COLUMNS = SCHEMA.slice(1).map(({ name }) => name);

/** Encodes cells. `stateOf` gives an export its last column: the state of the bucket that starts at a time. */
export async function encodeCells(cells: CellColumns, stateOf?: (startMs: number) => string): Promise<Uint8Array> {
  const { ByteWriter, parquetWrite } = await import("hyparquet-writer");
  const rows = cells.sorted();
  const numbers = (values: Float64Array) => BigInt64Array.from(rows, (row) => BigInt(values[row]!));
  const writer = new ByteWriter();
  parquetWrite({
    writer,
    schema: stateOf === undefined ? SCHEMA : EXPORT_SCHEMA,
    codec: "ZSTD",
    compressors: { ZSTD: (input) => zstdCompressSync(input, WITH_CHECKSUM) },
    createdBy: "viewmill",
    rowGroupSize: ROWS_A_GROUP,
    pageSize: PAGE_BYTES,
    statisticsTruncateLength: MAX_NAME_BYTES,
    columnData: [
      { name: "video_id", data: Array.from(rows, (row) => cells.videos[cells.videoIndex[row]!]!) },
      { name: "event_type", data: Array.from(rows, (row) => cells.types[cells.typeIndex[row]!]!) },
      { name: "start", data: numbers(cells.startMs), encoding: "DELTA_BINARY_PACKED" },
      { name: "count", data: numbers(cells.counts) },
      { name: "valued", data: numbers(cells.valued) },
      { name: "sum", data: BigInt64Array.from(rows, (row) => cells.sumLow[row]!) },
      { name: "sum_high", data: BigInt64Array.from(rows, (row) => cells.sumHigh[row]!) },
      { name: "revision", data: Int32Array.from(rows, (row) => cells.revisions[row]!) },
      ...(stateOf === undefined
        ? []
        : [{ name: "state", data: Array.from(rows, (row) => stateOf(cells.startMs[row]!)) }]),
    ],
  });
  return new Uint8Array(writer.getBuffer());
}

/**
 * A file of cells whose footer has been read, with the indexes of its pages. Throws where its bytes are no Parquet, or
 * not of this schema.
 */
export class CellFile {
  private constructor(
    private readonly bytes: RollUpBytes,
    private readonly metadata: FileMetaData,
    private readonly tail: Part,
  ) {}

  static async open(bytes: RollUpBytes): Promise<CellFile> {
    const tail = await partOf(bytes, Math.max(0, bytes.byteLength - TAIL_BYTES), bytes.byteLength);
    const metadata = await (await parquet()).parquetMetadataAsync(withParts(bytes, [tail]));
    const names = metadata.schema.slice(1).map(({ name }) => name);
    if (names.join() !== COLUMNS.join()) throw new Error(`not a file of cells: it has the columns ${names.join(", ")}`);
    const indexesAt = metadata.row_groups
      .flatMap(({ columns }) => columns.map(({ offset_index_offset: at }) => Number(at ?? bytes.byteLength)))
      .reduce((least, at) => Math.min(least, at), bytes.byteLength);
    // A copy of the indexes alone: the rest of the tail goes.
    const from = Math.max(indexesAt, tail.from);
    return new CellFile(bytes, metadata, { from, content: tail.content.slice(from - tail.from) });
  }

  /** What is kept of it in memory, roughly. */
  get weightBytes(): number {
    return this.tail.content.byteLength + this.metadata.metadata_length * FOOTER_WEIGHT;
  }

  get rows(): number {
    return Number(this.metadata.num_rows);
  }

  /** Returns every cell, in the file's order. */
  async all(): Promise<CellColumns> {
    return this.read(0, this.rows);
  }

  /** Returns the cells of a video; reads only the row groups that may hold it. */
  async ofVideo(videoId: string): Promise<CellColumns> {
    const [from, to] = this.groupsOf(videoId);
    return this.read(from, to, videoId);
  }

  /** Returns the rows [from, to) of the row groups whose range of ids includes this id. */
  private groupsOf(videoId: string): [from: number, to: number] {
    let row = 0;
    let [from, to] = [0, 0];
    for (const { num_rows, columns } of this.metadata.row_groups) {
      const statistics = columns[0]?.meta_data?.statistics;
      const least = statistics?.min_value as string | undefined;
      const most = statistics?.max_value as string | undefined;
      const end = row + Number(num_rows);
      if ((least === undefined || least <= videoId) && (most === undefined || videoId <= most)) {
        if (to === 0) from = row;
        to = end;
      }
      row = end;
    }
    return [from, to];
  }

  /** The bytes of the row groups that hold rows [from, to), in one read. */
  private groupsBytes(from: number, to: number): Promise<Part> {
    let row = 0;
    let [start, end] = [this.bytes.byteLength, 0];
    for (const { num_rows, columns } of this.metadata.row_groups) {
      const next = row + Number(num_rows);
      if (row < to && next > from) {
        for (const { meta_data: column } of columns) {
          const at = Number(column?.dictionary_page_offset ?? column?.data_page_offset ?? 0);
          start = Math.min(start, at);
          end = Math.max(end, at + Number(column?.total_compressed_size ?? 0));
        }
      }
      row = next;
    }
    return partOf(this.bytes, start, end);
  }

  private async read(from: number, to: number, videoId?: string): Promise<CellColumns> {
    const cells = new CellColumns();
    if (from >= to) return cells;
    const scan = await (await parquet()).parquetScan({
      file: withParts(this.bytes, [await this.groupsBytes(from, to), this.tail]),
      metadata: this.metadata,
      rowStart: from,
      rowEnd: to,
      compressors: { ZSTD: (input, length) => zstdDecompressSync(input, { maxOutputLength: length }) },
      parsers: { timestampFromMilliseconds: (millis) => Number(millis) },
    });
    for (const range of scan.ranges) {
      const { rowStart, rowEnd } = videoId === undefined ? range : await rowsOf(scan, range, videoId);
      if (rowStart >= rowEnd) continue;
      const constants = this.constantsOf(rowStart, rowEnd);
      if (videoId !== undefined) constants.set("video_id", videoId);
      await addRows(cells, scan, { rowStart, rowEnd }, constants);
    }
    return cells;
  }

  /**
   * Returns the columns of which every row group with rows of [from, to) has one same value, by its statistics: most
   * have one event type, no value and no revision. Such a column is not read, which saves half of a point read.
   */
  private constantsOf(from: number, to: number): Map<string, unknown> {
    const constants = new Map<string, unknown>();
    const varying = new Set<string>();
    let row = 0;
    for (const { num_rows, columns } of this.metadata.row_groups) {
      const next = row + Number(num_rows);
      if (row < to && next > from) {
        for (const [index, name] of COLUMNS.entries()) {
          const { min_value: least, max_value: most } = columns[index]?.meta_data?.statistics ?? {};
          const isOne = least !== undefined && least === most && (constants.get(name) ?? least) === least;
          if (isOne) constants.set(name, least);
          else varying.add(name);
        }
      }
      row = next;
    }
    for (const name of varying) constants.delete(name);
    return constants;
  }
}

/** Bytes of a file that are in memory. */
interface Part {
  from: number;
  content: ArrayBuffer;
}

async function partOf(bytes: RollUpBytes, from: number, to: number): Promise<Part> {
  return { from, content: await bytes.slice(from, to) };
}

/** The file, of which parts are in memory. */
const withParts = (bytes: RollUpBytes, parts: readonly Part[]): RollUpBytes => ({
  byteLength: bytes.byteLength,
  slice: async (from, to = bytes.byteLength) => {
    const part = parts.find((one) => from >= one.from && to <= one.from + one.content.byteLength);
    return part === undefined ? bytes.slice(from, to) : part.content.slice(from - part.from, to - part.from);
  },
});

interface Rows {
  rowStart: number;
  rowEnd: number;
}

/** Returns a video's rows within a range; they are adjacent. */
async function rowsOf(scan: ParquetScan, range: Rows, videoId: string): Promise<Rows> {
  const ids = (await scan.readColumn({ column: "video_id", ...range })) as string[];
  const first = ids.indexOf(videoId);
  if (first < 0) return { rowStart: 0, rowEnd: 0 };
  return { rowStart: range.rowStart + first, rowEnd: range.rowStart + ids.lastIndexOf(videoId) + 1 };
}

async function addRows(
  cells: CellColumns,
  scan: ParquetScan,
  rows: Rows,
  constants: ReadonlyMap<string, unknown>,
): Promise<void> {
  const length = rows.rowEnd - rows.rowStart;
  const [videos, types, starts, counts, valued, sums, highs, revisions] = (await Promise.all(
    COLUMNS.map((column) =>
      constants.has(column)
        ? new Array<unknown>(length).fill(constants.get(column))
        : scan.readColumn({ column, ...rows }),
    ),
  )) as [
    string[],
    string[],
    number[],
    ArrayLike<bigint>,
    ArrayLike<bigint>,
    ArrayLike<bigint>,
    ArrayLike<bigint>,
    ArrayLike<number>,
  ];
  for (let row = 0; row < length; row++) {
    cells.add({
      videoId: videos[row]!,
      eventType: types[row]!,
      startMs: starts[row]!,
      count: Number(counts[row]!),
      valued: Number(valued[row]!),
      sum: (highs[row]! << 64n) + sums[row]!,
      revision: revisions[row]!,
    });
  }
}
