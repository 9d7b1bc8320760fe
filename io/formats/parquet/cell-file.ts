// SPDX-License-Identifier: Apache-2.0
/**
 * Cells as a Parquet file: rows by videoId, event type and time, in row groups that are small enough for a point read,
 * with whole statistics, so that a reader finds a video's rows by the footer. DuckDB, BigQuery, Spark and pyarrow read
 * it as a table.
 */
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { RollUpBytes } from "../../ports";
import { CellColumns } from "./cell-columns";

type FileMetaData = Awaited<ReturnType<Awaited<ReturnType<typeof parquet>>["parquetMetadataAsync"]>>;
type SchemaElement = FileMetaData["schema"][number];
type ParquetScan = Awaited<ReturnType<Awaited<ReturnType<typeof parquet>>["parquetScan"]>>;
/** Loaded when the first file is read or written, because most processes use none. */
const parquet = () => import("hyparquet");

const ROWS_A_GROUP = 4_096;
const MAX_NAME_BYTES = 128;

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
    compressors: { ZSTD: (input) => zstdCompressSync(input) },
    createdBy: "viewmill",
    rowGroupSize: ROWS_A_GROUP,
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

/** A file of cells whose footer has been read. Throws where the bytes are no Parquet, or not of this schema. */
export class CellFile {
  private constructor(
    private readonly bytes: RollUpBytes,
    private readonly metadata: FileMetaData,
  ) {}

  static async open(bytes: RollUpBytes): Promise<CellFile> {
    const metadata = await (await parquet()).parquetMetadataAsync(bytes);
    const names = metadata.schema.slice(1).map(({ name }) => name);
    if (names.join() !== COLUMNS.join()) throw new Error(`not a file of cells: it has the columns ${names.join(", ")}`);
    return new CellFile(bytes, metadata);
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

  private async read(from: number, to: number, videoId?: string): Promise<CellColumns> {
    const cells = new CellColumns();
    if (from >= to) return cells;
    const scan = await (await parquet()).parquetScan({
      file: this.bytes,
      metadata: this.metadata,
      rowStart: from,
      rowEnd: to,
      compressors: { ZSTD: (input, length) => zstdDecompressSync(input, { maxOutputLength: length }) },
      parsers: { timestampFromMilliseconds: (millis) => Number(millis) },
    });
    for (const range of scan.ranges) {
      const { rowStart, rowEnd } = videoId === undefined ? range : await rowsOf(scan, range, videoId);
      if (rowStart < rowEnd) await addRows(cells, scan, { rowStart, rowEnd });
    }
    return cells;
  }
}

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

async function addRows(cells: CellColumns, scan: ParquetScan, rows: Rows): Promise<void> {
  const [videos, types, starts, counts, valued, sums, highs, revisions] = (await Promise.all(
    COLUMNS.map((column) => scan.readColumn({ column, ...rows })),
  )) as [string[], string[], number[], BigInt64Array, BigInt64Array, BigInt64Array, BigInt64Array, Int32Array];
  for (let row = 0; row < rows.rowEnd - rows.rowStart; row++) {
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
