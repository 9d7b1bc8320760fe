// SPDX-License-Identifier: Apache-2.0
import type { Archive, ReusedEventId } from "../../io/ports";
import { readArchiveRows } from "../../transforms/archive-rows";
import { MAX_EXAMPLES, type ReusedId, type ReusedIds } from "../../transforms/find-reused-ids";
import { hashOfId } from "../../transforms/id-words";

/**
 * The number of minutes in which the examples' names are looked up. The graph carries no names, so each such minute is
 * read again.
 */
const MAX_MINUTES_READ = 20;
const MAX_PLACES = 5;

/**
 * Combines the reused ids of all partitions: the number of events with such an id, and the names and places of the ids
 * used most often. The audit's report shows them.
 */
export async function examplesOf(
  archive: Pick<Archive, "list" | "read">,
  found: readonly Omit<ReusedIds, "key">[],
  seeds: readonly [number, number],
): Promise<{ reusedEventIds: number; reusedIds: ReusedEventId[] }> {
  const reusedEventIds = found.reduce((sum, { reused }) => sum + reused, 0);
  const most = found
    .flatMap(({ examples }) => examples)
    .sort((a, b) => b.times - a.times)
    .slice(0, MAX_EXAMPLES);
  const names = new Map<string, ReusedEventId>();
  for (const minute of minutesOf(most)) await lookUp(archive, minute, most, seeds, names);
  return { reusedEventIds, reusedIds: [...names.values()].sort((a, b) => b.times - a.times) };
}

/** Returns the minutes of the examples, beginning with those of the first example. */
function minutesOf(examples: readonly ReusedId[]): Set<number> {
  const minutes = new Set<number>();
  for (const example of examples) {
    for (const minute of example.minutes) if (minutes.size < MAX_MINUTES_READ) minutes.add(minute);
  }
  return minutes;
}

async function lookUp(
  archive: Pick<Archive, "list" | "read">,
  minute: number,
  examples: readonly ReusedId[],
  seeds: readonly [number, number],
  names: Map<string, ReusedEventId>,
): Promise<void> {
  const timesOf = new Map(examples.map(({ first, second, times }) => [`${first} ${second}`, times]));
  for (const { name } of await archive.list(minute, minute + 1)) {
    const content = await archive.read(name).catch(() => undefined);
    if (content === undefined) continue;
    readArchiveRowsOrStop(content, (row) => {
      const { bytes, idFrom, idTo } = row;
      const hashes = `${hashOfId(bytes, idFrom, idTo, seeds[0])} ${hashOfId(bytes, idFrom, idTo, seeds[1])}`;
      const times = timesOf.get(hashes);
      if (times === undefined) return;
      const eventId = bytes.utf8Slice(idFrom, idTo);
      const known = names.get(eventId) ?? { eventId, times, places: [] };
      names.set(eventId, known);
      const place = {
        minute,
        videoId: bytes.utf8Slice(row.videoFrom, row.videoTo),
        eventType: bytes.utf8Slice(row.typeFrom, row.typeTo),
      };
      const isKnown = known.places.some(
        (each) => each.minute === minute && each.videoId === place.videoId && each.eventType === place.eventType,
      );
      if (!isKnown && known.places.length < MAX_PLACES) known.places.push(place);
    });
  }
}

/** The recount has reported a damaged object already. Its readable rows may still name an example. */
function readArchiveRowsOrStop(content: Uint8Array, onRow: Parameters<typeof readArchiveRows>[1]): void {
  try {
    readArchiveRows(content, onRow);
  } catch {
    return;
  }
}
