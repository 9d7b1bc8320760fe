// SPDX-License-Identifier: Apache-2.0
import {
  type CatalogChannel,
  type CatalogVideo,
  type LineRead,
  readCatalogChannel,
  readCatalogVideo,
} from "../domain/catalog/catalog-line";
import { MINUTE_MS } from "../domain/rules/time";
import { jsonOfLine, linesOf } from "../intake/lines";
import type { VideoCatalog } from "../io/ports";
import { plainJson, refused } from "./answer";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { catalogLinesAsked, catalogLoadedSchema, nothingAsked } from "./schemas";

/** The number of refused lines that the answer names. */
const MAX_NAMED = 1_000;
/** The number of entries of one transaction, for which readers and other loads have to wait. */
const ENTRIES_AT_ONCE = 5_000;

/** PUT /v1/catalog/videos: titles, channels and publication of videos. */
export function putCatalogVideos(dependencies: QueryDependencies): Endpoint {
  return putCatalog<CatalogVideo>(dependencies, {
    what: "videos",
    summary: "Loads titles and channels of videos",
    fields:
      "videoId, title, channelId, channelTitle, publishedAt, channelSince. A new channel holds from the next minute on, or from channelSince; the first one that is known of a video holds for all of its past",
    read: readCatalogVideo,
    async load(catalog, videos) {
      const refused = await catalog.loadVideos(videos, Math.floor(dependencies.clock() / MINUTE_MS));
      return refused.map(({ video, detail }) => ({ entry: video, detail }));
    },
  });
}

/** PUT /v1/catalog/channels: titles of channels. */
export function putCatalogChannels(dependencies: QueryDependencies): Endpoint {
  return putCatalog<CatalogChannel>(dependencies, {
    what: "channels",
    summary: "Loads titles of channels",
    fields: "channelId, title",
    read: readCatalogChannel,
    async load(catalog, channels) {
      await catalog.loadChannels(channels);
      return [];
    },
  });
}

interface Kind<Entry> {
  what: "videos" | "channels";
  summary: string;
  fields: string;
  read: (value: unknown) => LineRead<Entry>;
  /** Resolves with the entries that the catalog refuses. */
  load(catalog: VideoCatalog, entries: readonly Entry[]): Promise<readonly { entry: Entry; detail: string }[]>;
}

function putCatalog<Entry>({ catalog }: QueryDependencies, kind: Kind<Entry>): Endpoint {
  return endpoint({
    method: "put",
    path: `/v1/catalog/${kind.what}`,
    query: nothingAsked,
    body: catalogLinesAsked,
    operation: {
      operationId: kind.what === "videos" ? "putCatalogVideos" : "putCatalogChannels",
      tag: "catalog",
      scope: "operate",
      summary: kind.summary,
      description: `One JSON object a line: ${kind.fields}. A field that is left out stays as it is known, and null takes it away. Lines that are refused take no other line down.`,
      answer: catalogLoadedSchema,
      requestType: "application/x-ndjson",
      problems: [400, 404, 413, 415, 503],
    },
    async handle({ body }) {
      if (catalog === undefined)
        return refused({ kind: "not-found", status: 404, detail: "this deployment has no catalog" });
      const { entries, lines, rejected, refusedLines } = readLines(body, kind.read);
      let loaded = entries.length;
      for (let from = 0; from < entries.length; from += ENTRIES_AT_ONCE) {
        for (const { entry, detail } of await kind.load(catalog, entries.slice(from, from + ENTRIES_AT_ONCE))) {
          loaded--;
          rejected.push({ line: lines[entries.indexOf(entry, from)]!, detail });
        }
      }
      const named = rejected.sort((a, b) => a.line - b.line).slice(0, MAX_NAMED);
      const unnamed = refusedLines + (entries.length - loaded) - named.length;
      return plainJson({ loaded, rejected: named, ...(unnamed > 0 && { unnamed }) });
    },
  });
}

function readLines<Entry>(body: Uint8Array, read: (value: unknown) => LineRead<Entry>) {
  const entries: Entry[] = [];
  const lines: number[] = [];
  const rejected: { line: number; detail: string }[] = [];
  let refusedLines = 0;
  for (const { number, bytes } of linesOf(Buffer.from(body.buffer, body.byteOffset, body.byteLength))) {
    const parsed = jsonOfLine(bytes);
    const result = parsed.ok ? read(parsed.value) : parsed;
    if (result.ok) {
      entries.push(result.entry);
      lines.push(number);
    } else if (++refusedLines <= MAX_NAMED) rejected.push({ line: number, detail: result.detail });
  }
  return { entries, lines, rejected, refusedLines };
}
