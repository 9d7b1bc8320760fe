// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { MINUTE_MS } from "../domain/rules/time";
import type { SendEvent } from "./answer";
import type { QueryDependencies } from "./dependencies";
import { type Freshness, readFreshness } from "./freshness";
import { booksText } from "./get-ledger";
import { LiveChannels } from "./live-channels";
import { totalsMember } from "./totals";

interface LiveQuestion {
  videoIds: readonly string[];
  channelIds: readonly string[];
  books: boolean;
  /** The id of the last message that this client received, from this process or from another. */
  lastEventId: string | undefined;
}

interface LiveHubOptions {
  dependencies: Pick<QueryDependencies, "counters" | "catalog" | "ledger" | "progress" | "clock"> & { logger: Logger };
  intervalMs: number;
  maxClients: number;
}

/** The minutes of the books that a new client gets. MOVING_MINUTES of them are read again at every turn. */
const SHOWN_MINUTES = 60;
const MOVING_MINUTES = 5;
/** Producers may timestamp events up to five minutes ahead of their receipt. */
const MINUTES_AHEAD = 6;
/** After this many turns all shown minutes are read again, because a late event may change any of them. */
const FULL_EVERY_TURNS = 15;
/** The number of turns over which the rate is taken. */
const RATE_TURNS = 10;

interface Item {
  /** The JSON text of the member's value. */
  text: string;
  /** Of `text`, what makes it another value; default: all of it. */
  meaning: string;
  changedAt: number;
}

interface Client extends LiveQuestion {
  send: SendEvent;
  /** The turn up to which this client knows all values. */
  knownTurn: number;
}

/**
 * Runs one turn a second for all clients together: watched values are read once, and each client gets the values that
 * changed since its last message. Values are absolute, so the next message makes up for one that a slow client misses.
 * Turns run only while a client listens. GET /v1/live joins clients to it.
 */
export class LiveHub {
  private readonly instance = randomUUID().slice(0, 8);
  private readonly clients = new Set<Client>();
  private readonly videos = new Map<string, Item>();
  private readonly channels = new Map<string, Item>();
  private readonly books = new Map<number, Item>();
  private readonly liveChannels: LiveChannels;
  private readonly accepted = new Map<number, number>();
  private readonly rates: { atMs: number; total: number }[] = [];
  private acceptedTotal = 0;
  private turn = 0;
  private timer: NodeJS.Timeout | undefined;
  private running = false;

  constructor(private readonly options: LiveHubOptions) {
    this.liveChannels = new LiveChannels(options.dependencies);
  }

  get size(): number {
    return this.clients.size;
  }

  get full(): boolean {
    return this.clients.size >= this.options.maxClients;
  }

  /**
   * Subscribes a client. The first message is sent with the next turn, which runs at once where no client listened
   * before. Returns the function that ends the messages.
   */
  subscribe(question: LiveQuestion, send: SendEvent): () => void {
    const client: Client = { ...question, send, knownTurn: this.knownTurn(question.lastEventId) };
    this.clients.add(client);
    if (this.timer === undefined) this.start();
    return () => {
      this.clients.delete(client);
      if (this.clients.size === 0) this.stop();
    };
  }

  /** Reads `<instance>-<turn>`. The turns of another process have no meaning here. */
  private knownTurn(lastEventId: string | undefined): number {
    const [, instance, turn] = /^([0-9a-f]{8})-(\d{1,15})$/.exec(lastEventId ?? "") ?? [];
    return instance === this.instance && Number(turn) <= this.turn ? Number(turn) : -1;
  }

  private start(): void {
    this.rates.length = 0;
    this.timer = setInterval(() => void this.next(), this.options.intervalMs);
    this.timer.unref();
    void this.next();
  }

  private stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.videos.clear();
    this.channels.clear();
    this.liveChannels.clear();
    this.books.clear();
    this.accepted.clear();
  }

  /**
   * Runs the next turn. A turn may take longer than the interval: the next one waits for it. A failed turn is left out.
   */
  private async next(): Promise<void> {
    if (this.running) return;
    this.running = true;
    try {
      await this.read();
    } catch (error) {
      this.options.dependencies.logger.warn({ err: error }, "a live message could not be made");
    } finally {
      this.running = false;
    }
  }

  private async read(): Promise<void> {
    const { dependencies } = this.options;
    const freshness = await readFreshness(dependencies);
    const turn = this.turn + 1;
    await this.readVideos(turn);
    this.readChannels(freshness, turn);
    await this.readBooks(freshness.asOfMs, turn);
    this.turn = turn;
    const head = `{"asOf":"${iso(freshness.asOfMs)}","completeThrough":"${iso(freshness.completeThroughMs)}","rate":${this.rate(freshness.asOfMs)}`;
    for (const client of this.clients) this.tell(client, head);
  }

  private async readVideos(turn: number): Promise<void> {
    const watched = new Set<string>();
    for (const { videoIds } of this.clients) for (const videoId of videoIds) watched.add(videoId);
    for (const videoId of this.videos.keys()) if (!watched.has(videoId)) this.videos.delete(videoId);
    for (const videoId of watched) {
      const totals = totalsMember(await this.options.dependencies.counters.totals(videoId));
      changed(this.videos, videoId, JSON.stringify(totals), turn);
    }
  }

  /** What has been added up since the turn before; what is due is added up for a later turn. */
  private readChannels(freshness: Freshness, turn: number): void {
    const watched = new Set<string>();
    for (const { channelIds } of this.clients) for (const channelId of channelIds) watched.add(channelId);
    for (const channelId of this.channels.keys()) if (!watched.has(channelId)) this.channels.delete(channelId);
    this.liveChannels.turn(watched, freshness);
    for (const [channelId, totals, text] of this.liveChannels.texts())
      changed(this.channels, channelId, text, turn, totals);
  }

  private async readBooks(nowMs: number, turn: number): Promise<void> {
    const nowMinute = Math.floor(nowMs / MINUTE_MS);
    const first = this.rates.length === 0;
    const full = first || turn % FULL_EVERY_TURNS === 0;
    const from = nowMinute - (full ? SHOWN_MINUTES : MOVING_MINUTES);
    const rows = await booksText(this.options.dependencies, from, nowMinute + MINUTES_AHEAD);
    for (const { minute, accepted, text } of rows) {
      changed(this.books, minute, text, turn);
      if (!first) this.acceptedTotal += Math.max(0, accepted - (this.accepted.get(minute) ?? 0));
      this.accepted.set(minute, accepted);
    }
    for (const minute of this.books.keys()) {
      if (minute >= nowMinute - SHOWN_MINUTES) continue;
      this.books.delete(minute);
      this.accepted.delete(minute);
    }
    this.rates.push({ atMs: nowMs, total: this.acceptedTotal });
    if (this.rates.length > RATE_TURNS + 1) this.rates.shift();
  }

  /** Returns the accepted events a second over the last turns, to a tenth. */
  private rate(nowMs: number): number {
    const [oldest] = this.rates;
    if (oldest === undefined || nowMs <= oldest.atMs) return 0;
    return Math.round(((this.acceptedTotal - oldest.total) / (nowMs - oldest.atMs)) * 10_000) / 10;
  }

  private tell(client: Client, head: string): void {
    const members = [head];
    const totals = newer(this.videos, client.videoIds, client.knownTurn);
    if (totals !== "") members.push(`"totals":{${totals}}`);
    const channels = newer(this.channels, client.channelIds, client.knownTurn);
    if (channels !== "") members.push(`"channels":{${channels}}`);
    if (client.books) {
      const minutes = [...this.books.values()].filter(({ changedAt }) => changedAt > client.knownTurn);
      if (minutes.length > 0) members.push(`"books":[${minutes.map(({ text }) => text).join(",")}]`);
    }
    if (client.send(`${this.instance}-${this.turn}`, `${members.join(",")}}`)) client.knownTurn = this.turn;
  }
}

function changed<Key>(items: Map<Key, Item>, key: Key, text: string, turn: number, meaning = text): void {
  if (items.get(key)?.meaning !== meaning) items.set(key, { text, meaning, changedAt: turn });
}

/** Members of those that changed after a turn. */
function newer(items: ReadonlyMap<string, Item>, ids: readonly string[], turn: number): string {
  const members: string[] = [];
  for (const id of ids) {
    const item = items.get(id);
    if (item !== undefined && item.changedAt > turn) members.push(`${JSON.stringify(id)}:${item.text}`);
  }
  return members.join(",");
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();
