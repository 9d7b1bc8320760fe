// SPDX-License-Identifier: Apache-2.0
import type { PublicationPlace, TitlePlace } from "../io/ports";
import { countersJson, refused } from "./answer";
import { PROVISIONAL_CACHE } from "./bucket-state";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { readFreshness } from "./freshness";
import { invalid } from "./problem";
import { searchAsked, searchSchema } from "./schemas";
import { videoMembers } from "./titles";
import { totalsMember } from "./totals";

/** The position of the next page of a search: after an id, or after a title. */
type Place = { after: string } | { title: TitlePlace };

/** GET /v1/videos: the videos whose id or title begins with a text, or the newest videos. */
export function getVideos(dependencies: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    path: "/v1/videos",
    match: /^\/v1\/videos$/,
    query: searchAsked,
    operation: {
      operationId: "searchVideos",
      tag: "counters",
      summary: "Videos whose id or title begins with a text, or the newest ones",
      description:
        "With `search`: first those whose id begins with the text, by id, whether they are in the catalog or were only counted; then those whose title does, in any case, by title. With `order=newest`: those whose `publishedAt` is known, the newest first, ties by id. A `cursor` in the answer is given back for the next page.",
      answer: searchSchema,
      problems: [400, 503],
    },
    async handle({ query }) {
      if ((query.search === undefined) === (query.order === undefined))
        return refused(invalid("search: either `search` or `order` is wanted"));
      const freshness = await readFreshness(dependencies);
      const page = await asked(dependencies, query);
      if (page === undefined) return refused(invalid("cursor: not one that an answer to this question has given"));
      const { videoIds, cursor } = page;
      const membersOf = await videoMembers(dependencies, videoIds);
      const videos: object[] = [];
      for (const videoId of videoIds)
        videos.push({
          videoId,
          ...membersOf(videoId),
          totals: totalsMember(await dependencies.counters.totals(videoId)),
        });
      const content = { videos, ...(cursor === undefined ? {} : { cursor }) };
      return countersJson(JSON.stringify(content), freshness, PROVISIONAL_CACHE);
    },
  });
}

interface Page {
  videoIds: string[];
  cursor?: string;
}

/** undefined: the cursor is none. */
async function asked(
  dependencies: QueryDependencies,
  { search, limit, cursor }: { search?: string | undefined; limit: number; cursor?: string | undefined },
): Promise<Page | undefined> {
  if (search === undefined) return newest(dependencies, limit, cursor);
  const place = cursor === undefined ? { after: "" } : readCursor(search, cursor);
  if (place === undefined) return undefined;
  const { videoIds, next } = await found(dependencies, search, place, limit);
  return { videoIds, ...(next === undefined ? {} : { cursor: writeCursor(search, next) }) };
}

async function newest(
  { catalog }: QueryDependencies,
  limit: number,
  cursor: string | undefined,
): Promise<Page | undefined> {
  const after = cursor === undefined ? undefined : readNewestCursor(cursor);
  if (cursor !== undefined && after === undefined) return undefined;
  const places = (await catalog?.newest(after, limit + 1)) ?? [];
  const videoIds = places.slice(0, limit).map(({ videoId }) => videoId);
  const last = places[limit - 1];
  if (places.length <= limit || last === undefined) return { videoIds };
  return { videoIds, cursor: base64Json([last.publishedAtMs, last.videoId]) };
}

/**
 * The search looks for one video more than the page holds, so that it gives a cursor only where there is a next page.
 */
async function found(
  { counters, catalog }: QueryDependencies,
  search: string,
  place: Place,
  limit: number,
): Promise<{ videoIds: string[]; next?: Place }> {
  const videoIds: string[] = [];
  if ("after" in place) {
    const counted = (await counters.videoIds?.(search, place.after, limit + 1)) ?? [];
    const known = (await catalog?.idsFrom(search, place.after, limit + 1)) ?? [];
    videoIds.push(...[...new Set([...counted, ...known])].sort().slice(0, limit + 1));
    if (videoIds.length > limit) return { videoIds: videoIds.slice(0, limit), next: { after: videoIds[limit - 1]! } };
  }
  const after = "title" in place ? place.title : undefined;
  const titles = (await catalog?.titlesFrom(search, after, limit - videoIds.length + 1)) ?? [];
  const shown = titles.slice(0, limit - videoIds.length);
  videoIds.push(...shown.map(({ videoId }) => videoId));
  if (titles.length === shown.length) return { videoIds };
  const last = shown.at(-1);
  return { videoIds, next: last === undefined ? { after: videoIds.at(-1)! } : { title: last } };
}

/** The text of the search stands in its cursors: places in its order mean nothing to another search. */
const writeCursor = (search: string, place: Place): string =>
  base64Json([search, ...("after" in place ? [place.after] : [place.title.key, place.title.videoId])]);

function readCursor(search: string, cursor: string): Place | undefined {
  const [text, first, second, ...more] = partsOf(cursor);
  if (text !== search || typeof first !== "string" || more.length > 0) return undefined;
  if (second === undefined) return { after: first };
  return typeof second === "string" ? { title: { key: first, videoId: second } } : undefined;
}

function readNewestCursor(cursor: string): PublicationPlace | undefined {
  const [publishedAtMs, videoId, ...more] = partsOf(cursor);
  if (!Number.isSafeInteger(publishedAtMs) || typeof videoId !== "string" || more.length > 0) return undefined;
  return { publishedAtMs: publishedAtMs as number, videoId };
}

const base64Json = (parts: readonly unknown[]): string => Buffer.from(JSON.stringify(parts)).toString("base64url");

function partsOf(cursor: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}
