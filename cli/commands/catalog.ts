// SPDX-License-Identifier: Apache-2.0
import { createReadStream } from "node:fs";
import { SingleBar } from "cli-progress";
import type { Command } from "commander";
import { type CatalogVideo, readCatalogVideo } from "../../domain/catalog/catalog-line";
import { MINUTE_MS } from "../../domain/rules/time";
import type { VideoCatalog } from "../../io/ports";
import { prepareDataFolder } from "../../io/sqlite/data-folder";
import { fileSizeBytes } from "../arguments/input-file";
import { resolveConfig } from "../config/resolve";
import { openCatalog } from "../deployment/open-catalog";
import { csvLines, jsonLines } from "../reading/catalog-lines";

const EXIT_REJECTED = 1;
const SHOWN_REJECTIONS = 20;
/** The videos of one transaction, which writes a page once for all of them. */
const VIDEOS_AT_ONCE = 250_000;
const CACHE_BYTES = 512 << 20;

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
    const loading = () => loadFile(catalog, file, format, (bytes) => bar.update(bytes));
    const result = await (sizeBytes > catalog.sizeBytes ? catalog.asOneLoad(loading) : loading());
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

async function loadFile(
  catalog: VideoCatalog,
  file: string,
  format: "csv" | "ndjson",
  onRead: (bytes: number) => void,
): Promise<Loaded> {
  const result: Loaded = { loaded: 0, rejected: 0, rejections: [] };
  const input = createReadStream(file);
  let waiting: CatalogVideo[] = [];
  let lineOf: number[] = [];
  const reject = (line: number, detail: string) => {
    result.rejected++;
    if (result.rejections.length < SHOWN_REJECTIONS) result.rejections.push({ line, detail });
  };
  const flush = async () => {
    const refused = await catalog.loadVideos(neighboursTogether(waiting), Math.floor(Date.now() / MINUTE_MS));
    if (refused.length > 0) {
      const lines = new Map(waiting.map((video, at) => [video, lineOf[at]!]));
      for (const { video, detail } of refused) reject(lines.get(video)!, detail);
    }
    result.loaded += waiting.length - refused.length;
    [waiting, lineOf] = [[], []];
    onRead(input.bytesRead);
  };
  for await (const lines of format === "csv" ? csvLines(input) : jsonLines(input)) {
    for (const { line, value, broken } of lines) {
      const read = broken === undefined ? readCatalogVideo(value) : { ok: false as const, detail: broken };
      if (read.ok) {
        waiting.push(read.entry);
        lineOf.push(line);
      } else reject(line, read.detail);
    }
    if (waiting.length >= VIDEOS_AT_ONCE) await flush();
  }
  await flush();
  return result;
}

/** Of an id, what a key of the order holds: five ASCII characters above the place among at most 2^18 lines. */
const KEY_CHARACTERS = 5;
const KEY_PLACES = 2 ** 18;

/**
 * Ordered by the first characters in which ids differ, so that neighbours go to the same page of the catalog. Lines
 * about one video stay in their order, and all lines do where two of them may give one channel different titles.
 * Sorting numbers costs a tenth of sorting ids.
 */
function neighboursTogether(videos: readonly CatalogVideo[]): CatalogVideo[] {
  if (!isEachChannelOfOneTitle(videos)) return [...videos];
  const first = videos[0]?.videoId ?? "";
  let same = first.length;
  for (const { videoId } of videos) while (!videoId.startsWith(first.slice(0, same))) same--;
  const keys = new Float64Array(videos.length);
  for (const [place, { videoId }] of videos.entries()) {
    let key = 0;
    for (let at = same; at < same + KEY_CHARACTERS; at++) key = key * 128 + (videoId.charCodeAt(at) || 0);
    keys[place] = key * KEY_PLACES + place;
  }
  return Array.from(keys.sort(), (key) => videos[key % KEY_PLACES]!);
}

function isEachChannelOfOneTitle(videos: readonly CatalogVideo[]): boolean {
  const titles = new Map<string, string | null>();
  for (const { channelId, channelTitle } of videos) {
    if (channelTitle === undefined) continue;
    // The title is of the channel that the catalog knows.
    if (typeof channelId !== "string") return false;
    if (titles.has(channelId) && titles.get(channelId) !== channelTitle) return false;
    titles.set(channelId, channelTitle);
  }
  return true;
}

function print({ loaded, rejected, rejections }: Loaded, seconds: number, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify({ loaded, rejected, rejections, seconds })}\n`);
  else {
    for (const { line, detail } of rejections) process.stderr.write(`line ${line}: ${detail}\n`);
    process.stdout.write(`loaded ${loaded}, rejected ${rejected}, in ${seconds.toFixed(1)} s\n`);
  }
}
