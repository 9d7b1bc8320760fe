// SPDX-License-Identifier: Apache-2.0
/**
 * Counts on their way to the thread that writes them, without the names that the thread has been sent before: to copy,
 * to hash and to look up each name in each pass took as long as the cells. counter-writer.ts sends each pass of the
 * stream through it.
 */
import type { MinuteCounts, VideoNames } from "../../domain/columns/minute-counts";

/** Spaces of names that both sides remember: panes have one at a time, and two while the old panes end. */
const MAX_SPACES = 2;

/** Names of a space that the thread does not have yet, from number `from` on. */
interface SentSpace {
  id: number;
  from: number;
  texts: string[];
}

/** `numbers`: of the videos, in the space with this id. */
type SentCounts = MinuteCounts | (Omit<MinuteCounts, "videos" | "named"> & { space: number; numbers: Uint32Array });

export interface SentMessage {
  counts: SentCounts[];
  spaces: SentSpace[];
  /** Ids of the spaces that are remembered after this message. */
  kept: number[];
}

/** The sender's side: what the thread has been sent. */
export class NameSender {
  #worker = 0;
  #lastId = 0;
  /** The space used last is the last. */
  readonly #spaces = new Map<VideoNames, { id: number; count: number }>();

  /** The message to a thread; another `worker` than before knows nothing yet. */
  message(all: readonly MinuteCounts[], worker: number): SentMessage {
    if (worker !== this.#worker) this.#spaces.clear();
    this.#worker = worker;
    const spaces: SentSpace[] = [];
    const counts = all.map((each): SentCounts => {
      if (each.named === undefined) return each;
      const { names, numbers } = each.named;
      const known = this.#spaces.get(names) ?? { id: ++this.#lastId, count: 0 };
      this.#spaces.delete(names);
      this.#spaces.set(names, known);
      if (known.count < names.videoCount)
        spaces.push({ id: known.id, from: known.count, texts: textsOf(names, known) });
      known.count = names.videoCount;
      return { ...withoutNames(each), space: known.id, numbers };
    });
    for (const names of this.#spaces.keys()) {
      if (this.#spaces.size <= Math.max(MAX_SPACES, all.length)) break;
      this.#spaces.delete(names);
    }
    return { counts, spaces, kept: Array.from(this.#spaces.values(), ({ id }) => id) };
  }
}

function textsOf(names: VideoNames, { count }: { count: number }): string[] {
  return Array.from({ length: names.videoCount - count }, (_, n) => names.videoText(count + n));
}

/** Not a spread: that would make the strings. */
function withoutNames(counts: MinuteCounts): Omit<MinuteCounts, "videos" | "named"> {
  const { minute, types, videoIndex, typeIndex, valued, sumHigh, sumLow, lastMsInMinute } = counts;
  const columns = { minute, types, videoIndex, typeIndex, valued, sumHigh, sumLow, lastMsInMinute };
  const { received, corrections } = counts;
  return {
    ...columns,
    counts: counts.counts,
    ...(received === undefined ? {} : { received }),
    ...(corrections === undefined ? {} : { corrections }),
  };
}

class ReceivedSpace implements VideoNames {
  readonly texts: string[] = [];

  get videoCount(): number {
    return this.texts.length;
  }

  videoText(number: number): string {
    return this.texts[number]!;
  }

  textsOf(numbers: Uint32Array): string[] {
    const { texts } = this;
    const named: string[] = [];
    for (const number of numbers) {
      if (number >= texts.length) throw new Error(`name ${number} was not sent, ${texts.length} were`);
      named.push(texts[number]!);
    }
    return named;
  }
}

/** The thread's side. */
export class NameReceiver {
  readonly #spaces = new Map<number, ReceivedSpace>();

  /** The counts as they were sent. Messages must come in the order in which they were made. */
  counts({ counts, spaces, kept }: SentMessage): MinuteCounts[] {
    for (const { id, from, texts } of spaces) {
      const space = this.#space(id);
      if (space.texts.length !== from) throw new Error(`names ${space.texts.length} to ${from - 1} were not sent`);
      for (const text of texts) space.texts.push(text);
    }
    const received = counts.map((each): MinuteCounts => {
      if (!("space" in each)) return each;
      const { space, numbers, ...columns } = each;
      const names = this.#space(space);
      return { ...columns, videos: names.textsOf(numbers), named: { names, numbers } };
    });
    for (const id of this.#spaces.keys()) if (!kept.includes(id)) this.#spaces.delete(id);
    return received;
  }

  #space(id: number): ReceivedSpace {
    const space = this.#spaces.get(id) ?? new ReceivedSpace();
    this.#spaces.set(id, space);
    return space;
  }
}
