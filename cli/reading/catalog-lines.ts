// SPDX-License-Identifier: Apache-2.0
/** The lines of a catalog file, NDJSON or CSV, as values. `viewmill catalog` reads its file with it. */
import { isUtf8 } from "node:buffer";
import type { ReadStream } from "node:fs";
import { CsvError, parse } from "csv-parse/sync";
import { lineBlocks } from "../../intake/line-blocks";
import { jsonOfLine, type Line, linesOf, NOT_UTF_8 } from "../../intake/lines";

/** A turn of the event loop for every line would cost as much as its reading. */
const LINES_AT_ONCE = 1_000;
/** The longest line, and the longest record of CSV. A longer one is no video of the catalog. */
const MAX_LINE_BYTES = 64 << 10;
const TOO_LONG = `a line has at most ${MAX_LINE_BYTES} bytes`;
const LINE_FEED = 0x0a;
const BOUNDS = { maxLines: LINES_AT_ONCE, maxLineBytes: MAX_LINE_BYTES };

/** Thrown for a file that cannot be read to its end. */
class CatalogFileError extends Error {
  override readonly name = "CatalogFileError";
}

export interface CatalogLine {
  line: number;
  value: unknown;
  /** Why the line cannot be parsed. */
  broken?: string;
}

export async function* jsonLines(input: ReadStream): AsyncGenerator<CatalogLine[]> {
  for await (const block of lineBlocks(input, BOUNDS)) {
    if ("oversize" in block) yield [{ line: block.firstLine, value: undefined, broken: TOO_LONG }];
    else yield linesOf(block.bytes, block.firstLine).map(jsonLine);
  }
}

/** `garbled`: the places of the lines that are not UTF-8, in whose text other characters stand for their bytes. */
interface Texts {
  texts: string[];
  garbled: ReadonlySet<number>;
}

/**
 * The lines of a block of CSV, with the blank ones, which may be a part of a quoted field. (NDJSON has the lines of
 * intake/lines.ts.)
 */
function textsOf(block: Buffer, firstLine: number): Texts {
  const bytes = block.at(-1) === LINE_FEED ? block.subarray(0, -1) : block;
  const texts = bytes.toString("utf8").split("\n");
  if (firstLine === 1) texts[0] = texts[0]!.replace(/^\uFEFF/, "");
  return { texts, garbled: isUtf8(bytes) ? NONE : garbledLines(bytes) };
}

const NONE: ReadonlySet<number> = new Set();

function garbledLines(bytes: Buffer): Set<number> {
  const garbled = new Set<number>();
  for (let start = 0, place = 0; start <= bytes.length; place++) {
    const found = bytes.indexOf(LINE_FEED, start);
    const end = found < 0 ? bytes.length : found;
    if (!isUtf8(bytes.subarray(start, end))) garbled.add(place);
    start = end + 1;
  }
  return garbled;
}

function jsonLine({ number: line, bytes }: Line): CatalogLine {
  if (bytes.length > MAX_LINE_BYTES) return { line, value: undefined, broken: TOO_LONG };
  const parsed = jsonOfLine(bytes);
  return parsed.ok ? { line, value: parsed.value } : { line, value: undefined, broken: parsed.detail };
}

/** A record of CSV: one line, or several lines where a quoted field has line ends. */
interface CsvRecord {
  line: number;
  text: string;
  isQuoted: boolean;
  /** Whether one of its lines is not UTF-8. */
  isGarbled: boolean;
}

/**
 * Yields the records of a CSV file under the names of its first line. An empty field counts as absent. A record that is
 * not UTF-8 is broken alone. A broken quote, a row with other columns than the first line, or a first line that names a
 * column twice ends the load with an error that names the line.
 */
export async function* csvLines(input: ReadStream): AsyncGenerator<CatalogLine[]> {
  let names: readonly string[] | undefined;
  for await (const records of csvRecords(input)) {
    const rows = fieldsOf(records);
    if (names === undefined && rows.length > 0) names = namesOf(rows.shift()!);
    yield rows.map(({ line, fields, isGarbled }) =>
      isGarbled ? { line, value: undefined, broken: NOT_UTF_8 } : { line, value: valueUnder(fields, names!, line) },
    );
  }
}

/** Cuts the file into records. Within a record quotes come in pairs, so that an odd number of them opens a field. */
async function* csvRecords(input: ReadStream): AsyncGenerator<CsvRecord[]> {
  let open: Pick<CsvRecord, "line" | "text" | "isGarbled"> | undefined;
  for await (const block of lineBlocks(input, BOUNDS)) {
    if ("oversize" in block) throw broken(TOO_LONG, block.firstLine);
    const records: CsvRecord[] = [];
    const { texts, garbled } = textsOf(block.bytes, block.firstLine);
    for (const [index, text] of texts.entries()) {
      const line = block.firstLine + index;
      if (text.length > MAX_LINE_BYTES) throw broken(TOO_LONG, line);
      const isPaired = !text.includes('"') || text.split('"').length % 2 === 1;
      if (open === undefined && isPaired) {
        const isGarbled = garbled.has(index);
        if (text.trim() !== "") records.push({ line, text, isQuoted: text.includes('"'), isGarbled });
      } else {
        const whole: string = open === undefined ? text : `${open.text}\n${text}`;
        if (whole.length > MAX_LINE_BYTES) throw broken("Quote Not Closed", open?.line ?? line);
        const isGarbled: boolean = garbled.has(index) || open?.isGarbled === true;
        const begun: typeof open = { line: open?.line ?? line, text: whole, isGarbled };
        if (open !== undefined && !isPaired) records.push({ ...begun, isQuoted: true });
        open = open !== undefined && !isPaired ? undefined : begun;
      }
    }
    yield records;
  }
  if (open !== undefined) throw broken("Quote Not Closed", open.line);
}

interface CsvRow {
  line: number;
  fields: readonly string[];
  isGarbled: boolean;
}

/** Splits records without quotes, which costs a tenth of the library's work; the library reads every other record. */
function fieldsOf(records: readonly CsvRecord[]): CsvRow[] {
  const quoted = quotedFields(records.filter(({ isQuoted }) => isQuoted)).values();
  return records.map(({ line, text, isQuoted, isGarbled }) => ({
    line,
    isGarbled,
    fields: isQuoted ? quoted.next().value! : text.split(",").map((field) => field.trim()),
  }));
}

function quotedFields(records: readonly CsvRecord[]): string[][] {
  if (records.length === 0) return [];
  try {
    return parse(records.map(({ text }) => text.trimEnd()).join("\n"), { trim: true, relax_column_count: true });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    if (records.length === 1) throw broken(error.message.split(":")[0]!, records[0]!.line);
    return records.flatMap((record) => quotedFields([record]));
  }
}

function namesOf({ line, fields, isGarbled }: CsvRow): readonly string[] {
  if (isGarbled) throw broken(NOT_UTF_8, line);
  if (fields.some((field) => field.includes("\r"))) throw broken("lines end by a line feed, not by CR alone", line);
  const repeated = fields.find((field, at) => field !== "" && fields.indexOf(field) < at);
  if (repeated !== undefined) throw broken(`the column ${repeated} stands twice`, line);
  return fields;
}

function valueUnder(fields: readonly string[], names: readonly string[], line: number): Record<string, unknown> {
  if (fields.length !== names.length)
    throw broken(`the row has ${fields.length} fields, the first line ${names.length}`, line);
  const value: Record<string, unknown> = {};
  for (let at = 0; at < names.length; at++)
    if (fields[at] !== "") value[names[at]!] = columnValue(names[at]!, fields[at]!);
  return value;
}

/** The columns in which `null` takes a value away, and those in which digits are epoch milliseconds. */
const REMOVABLE: ReadonlySet<string> = new Set(["title", "channelId", "channelTitle", "publishedAt"]);
const TIMES: ReadonlySet<string> = new Set(["publishedAt", "channelSince"]);

/** Returns the value that JSON would have in place of a CSV file's text. */
function columnValue(name: string, text: string): unknown {
  if (text === "null" && REMOVABLE.has(name)) return null;
  return TIMES.has(name) && /^\d{1,16}$/.test(text) ? Number(text) : text;
}

const broken = (what: string, line: number): CatalogFileError =>
  new CatalogFileError(`not a CSV file to be loaded further: ${what}, line ${line}`);
