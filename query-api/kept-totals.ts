// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../domain/rules/time";
import { type Answer, countersAnswer, type HashedContent, hashedContent } from "./answer";
import { PROVISIONAL_CACHE } from "./bucket-state";
import type { QueryDependencies } from "./dependencies";
import { type Freshness, readFreshness } from "./freshness";
import { type VideoMembers, videoMembers } from "./titles";
import { totalsMember } from "./totals";

type Stores = Pick<QueryDependencies, "counters" | "catalog" | "progress" | "clock" | "versionsKeptMs">;

/** The videos of a generation; two are kept, each video some 600 bytes. */
const GENERATION = 4_096;

/** Values by video. Those that were not asked for in two generations are forgotten. */
class Generations<T> {
  #young = new Map<string, T>();
  #old = new Map<string, T>();

  get(videoId: string): T | undefined {
    return this.#young.get(videoId) ?? this.#old.get(videoId);
  }

  keep(videoId: string, value: T): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(videoId, value);
  }

  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
  }
}

/** A look at the stores: what was kept before is what they hold at `atMs`. */
interface Look {
  counters: number;
  catalog: number;
  /** Channels are told by the minute (domain/catalog/channel-history.ts). */
  minute: number;
  /** When the look was taken, epoch milliseconds and on a clock that only goes forward. */
  atMs: number;
  tickMs: number;
  /** The completeness that was read before the look. */
  completeThroughMs: number;
}

/**
 * Totals of single videos. The content of an answer is kept while the stores say by their versions that nothing in them
 * has changed, and what the catalog says of a video while the catalog has not; a store without a version is read each
 * time. An answer of what was kept is as true as a new reading: it states the time of the look at the versions as its
 * own (asOf), and its completeness was read before that look.
 */
export class KeptTotals {
  #look: Look | undefined;
  readonly #contents = new Generations<HashedContent>();
  readonly #members = new Generations<VideoMembers>();

  /** `tick`: milliseconds of a clock that only goes forward. */
  constructor(
    private readonly stores: Stores,
    private readonly tick = () => performance.now(),
  ) {}

  async answer(videoId: string): Promise<Answer> {
    const freshness = await readFreshness(this.stores);
    const look = this.#looked(freshness);
    const asOfMs = look === undefined ? freshness.asOfMs : Math.min(freshness.asOfMs, look.atMs);
    const content = (look && this.#contents.get(videoId)) ?? (await this.#read(videoId, look));
    return countersAnswer(content, { ...freshness, asOfMs }, PROVISIONAL_CACHE);
  }

  async #read(videoId: string, look: Look | undefined): Promise<HashedContent> {
    const totals = totalsMember(await this.stores.counters.totals(videoId));
    const known = look && this.#members.get(videoId);
    const members = known ?? (await videoMembers(this.stores, [videoId]))(videoId);
    const content = hashedContent(JSON.stringify({ videoId, ...members, totals }));
    // A commit since the look is in what was read already, and the next look forgets all that was kept before it.
    if (look !== undefined && look === this.#look) {
      this.#contents.keep(videoId, content);
      if (known === undefined) this.#members.keep(videoId, members);
    }
    return content;
  }

  /**
   * Returns a look that was taken after this freshness was read, or after an earlier reading that found the same
   * completeness.
   */
  #looked({ asOfMs, completeThroughMs }: Freshness): Look | undefined {
    const { counters, catalog } = this.stores;
    if (counters.version === undefined || (catalog !== undefined && catalog.version === undefined)) return undefined;
    const tickMs = this.tick();
    const before = this.#look;
    const isFresh = before !== undefined && tickMs - before.tickMs < (this.stores.versionsKeptMs ?? 0);
    if (isFresh && before.completeThroughMs === completeThroughMs) return before;
    const look = {
      counters: counters.version(),
      catalog: catalog?.version?.() ?? 0,
      minute: Math.floor(asOfMs / MINUTE_MS),
      atMs: asOfMs,
      tickMs,
      completeThroughMs,
    };
    const isSameCatalog = look.catalog === before?.catalog && look.minute === before.minute;
    if (!isSameCatalog) this.#members.clear();
    if (!isSameCatalog || look.counters !== before.counters) this.#contents.clear();
    this.#look = look;
    return look;
  }
}
