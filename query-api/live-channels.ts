// SPDX-License-Identifier: Apache-2.0
import { ChannelCounters, ChannelTooLargeError } from "./channel-counters";
import type { QueryDependencies } from "./dependencies";
import type { Freshness } from "./freshness";
import { totalsMember } from "./totals";

interface Watched {
  running: boolean;
  /** On the clock of `performance.now()`. */
  nextAtMs: number;
  /** What was read last; undefined before, and where the channel is too large to be added up. */
  read: { totals: string; text: string } | undefined;
}

/** A channel is added up for at most this share of the time. */
const SHARE_OF_TIME = 0.1;

/**
 * Totals of the channels that live clients watch. A large channel takes longer to add up than a turn of the hub: so a
 * channel is added up beside the turns, as often as its size allows, and says itself how complete it is. The live hub
 * has one.
 */
export class LiveChannels {
  readonly #watched = new Map<string, Watched>();

  constructor(
    private readonly sources: Pick<QueryDependencies, "counters" | "catalog" | "unknown" | "logger">,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Starts to read what is due. `freshness`: read before. */
  turn(channelIds: ReadonlySet<string>, freshness: Freshness): void {
    for (const channelId of this.#watched.keys()) if (!channelIds.has(channelId)) this.#watched.delete(channelId);
    for (const channelId of channelIds) {
      const known = this.#watched.get(channelId) ?? { running: false, nextAtMs: 0, read: undefined };
      this.#watched.set(channelId, known);
      if (!known.running && this.now() >= known.nextAtMs) void this.#read(channelId, known, freshness);
    }
  }

  /** By channel: its totals as text, and the text of the whole member. */
  *texts(): Generator<[channelId: string, totals: string, text: string]> {
    for (const [channelId, { read }] of this.#watched) if (read) yield [channelId, read.totals, read.text];
  }

  clear(): void {
    this.#watched.clear();
  }

  async #read(channelId: string, watched: Watched, { completeThroughMs }: Freshness): Promise<void> {
    const { counters, catalog, unknown, logger } = this.sources;
    if (catalog === undefined) return;
    watched.running = true;
    const startedAt = this.now();
    try {
      const found = await new ChannelCounters({ counters, catalog, unknown }).totals(channelId);
      const totals = JSON.stringify(totalsMember(found));
      const completeThrough = new Date(completeThroughMs).toISOString();
      watched.read = { totals, text: `{"totals":${totals},"completeThrough":"${completeThrough}"}` };
    } catch (error) {
      if (!(error instanceof ChannelTooLargeError)) logger.warn({ err: error }, "a live channel could not be read");
    } finally {
      watched.running = false;
      watched.nextAtMs = this.now() + (this.now() - startedAt) * (1 / SHARE_OF_TIME - 1);
    }
  }
}
