// SPDX-License-Identifier: Apache-2.0
import { createReadStream, type ReadStream } from "node:fs";
import { SingleBar } from "cli-progress";
import type { Command } from "commander";
import { CsvError, parse } from "csv-parse";
import { type CatalogVideo, readCatalogVideo } from "../../domain/catalog/catalog-line";
import { MINUTE_MS } from "../../domain/rules/time";
import { lineBlocks } from "../../intake/line-blocks";
import type { VideoCatalog } from "../../io/ports";
import { prepareDataFolder } from "../../io/sqlite/data-folder";
import { fileSizeBytes } from "../arguments/input-file";
import { resolveConfig } from "../config/load";
import { openCatalog } from "../deployment/open-catalog";

const EXIT_REJECTED = 1;
const SHOWN_REJECTIONS = 20;
/** The videos of one transaction, which writes a page once for all of them. */
const VIDEOS_AT_ONCE = 250_000;
const CACHE_BYTES = 512 << 20;
/** The longest line. A longer one is no video of the catalog. */
const MAX_LINE_BYTES = 64 << 10;

/** Thrown for a file that cannot be read to its end. */
class CatalogFileError extends Error {
  override readonly name = "CatalogFileError";
}

interface Flags {
  format?: string;
  json?: boolean;
}

export function register(program: Command): void {
  const catalog = program.command("catalog").description("titles and channels of videos");
  catalog
    .command("load")
    .description("load titles and channels from a CSV or NDJSON file")
    .argument("<file>", "NDJSON, or CSV (.csv) whose first line names the columns")
    .option("--format <format>", "csv or ndjson (default: by the file's name)")
    .option("--data <dir>", "data folder of the deployment; the service may be running on it")
    .option("--config <file>", "configuration file")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nFields: videoId, title, channelId, channelTitle, publishedAt, channelSince. A field that is left out (in CSV: an empty one) stays as it is known, and null " +
        "takes it away. A new channel holds from the next minute on, or from channelSince; the first one that is known of a video holds for all of its past. " +
        "Exit status: 0 all loaded, 1 some lines rejected (the others are loaded).",
    )
    .action(load);
}

async function load(file: string, flags: Flags, command: Command): Promise<void> {
  const config = resolveConfig(command);
  const format = flags.format ?? (/\.csv$/i.test(file) ? "csv" : "ndjson");
  if (format !== "csv" && format !== "ndjson") command.error(`error: --format is csv or ndjson, not ${format}`);
  const bar = new SingleBar({ format: "loading {bar} {percentage}%", clearOnComplete: true, noTTYOutput: false });
  const sizeBytes = fileSizeBytes(file);
  if (config.catalog.file === "") prepareDataFolder(config.data);
  const catalog = await openCatalog(config, { cacheBytes: CACHE_BYTES });
  const startedAt = performance.now();
  try {
    bar.start(sizeBytes, 0);
    const result = await loadFile(catalog, file, format, (bytes) => bar.update(bytes));
    bar.stop();
    print(result, (performance.now() - startedAt) / 1000, flags.json === true);
    process.exitCode = result.rejected > 0 ? EXIT_REJECTED : 0;
  } finally {
    bar.stop();
    await catalog.close();
  }
}

interface Loaded {
  loaded: number;
  rejected: number;
  /** The first rejections. */
  rejections: { line: number; detail: string }[];
}

interface Line {
  line: number;
  value: unknown;
  /** Why the line cannot be parsed. */
  broken?: string;
}

async function loadFile(
  catalog: VideoCatalog,
  file: string,
  format: "csv" | "ndjson",
  onRead: (bytes: number) => void,
): Promise<Loaded> {
  const result: Loaded = { loaded: 0, rejected: 0, rejections: [] };
  const input = createReadStream(file);
  let waiting: CatalogVideo[] = [];
  const flush = async () => {
    // Sorted by id, so that neighbours are on the same page; lines about one video stay in their order.
    waiting.sort((a, b) => (a.videoId < b.videoId ? -1 : a.videoId > b.videoId ? 1 : 0));
    await catalog.loadVideos(waiting, Math.floor(Date.now() / MINUTE_MS));
    result.loaded += waiting.length;
    waiting = [];
    onRead(input.bytesRead);
  };
  for await (const { line, value, broken } of format === "csv" ? csvLines(input) : jsonLines(input)) {
    const read = broken === undefined ? readCatalogVideo(value) : { ok: false as const, detail: broken };
    if (read.ok) waiting.push(read.entry);
    else {
      result.rejected++;
      if (result.rejections.length < SHOWN_REJECTIONS) result.rejections.push({ line, detail: read.detail });
    }
    if (waiting.length >= VIDEOS_AT_ONCE) await flush();
  }
  await flush();
  return result;
}

async function* jsonLines(input: ReadStream): AsyncGenerator<Line> {
  const tooLong = `a line has at most ${MAX_LINE_BYTES} bytes`;
  for await (const block of lineBlocks(input, { maxLines: 1_000, maxLineBytes: MAX_LINE_BYTES })) {
    if ("oversize" in block) yield { line: block.firstLine, value: undefined, broken: tooLong };
    else
      for (const [index, text] of block.bytes.toString().split("\n").entries()) {
        const line = block.firstLine + index;
        if (text.trim() !== "") yield jsonLine(line, line === 1 ? text.replace(/^\uFEFF/, "") : text);
      }
  }
}

function jsonLine(line: number, text: string): Line {
  try {
    return { line, value: JSON.parse(text) };
  } catch {
    return { line, value: undefined, broken: "the line is not JSON" };
  }
}

/**
 * Yields the lines of a CSV file. An empty field counts as absent. A broken quote, or a row with other columns than the
 * first line, ends the load with an error that names the line.
 */
async function* csvLines(input: ReadStream): AsyncGenerator<Line> {
  const parser = input.pipe(
    parse({
      columns: true,
      bom: true,
      skip_empty_lines: true,
      trim: true,
      info: true,
      max_record_size: MAX_LINE_BYTES,
    }),
  );
  input.on("error", (error) => parser.destroy(error));
  type Row = { record: Record<string, string>; info: { lines: number } };
  try {
    for await (const { record, info } of parser as AsyncIterable<Row>)
      yield { line: info.lines, value: Object.fromEntries(Object.entries(record).filter(([, field]) => field !== "")) };
  } catch (error) {
    if (error instanceof CsvError) throw new CatalogFileError(`not a CSV file to be loaded further: ${error.message}`);
    throw error;
  }
}

function print({ loaded, rejected, rejections }: Loaded, seconds: number, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify({ loaded, rejected, rejections, seconds })}\n`);
  else {
    for (const { line, detail } of rejections) process.stderr.write(`line ${line}: ${detail}\n`);
    process.stdout.write(`loaded ${loaded}, rejected ${rejected}, in ${seconds.toFixed(1)} s\n`);
  }
}
