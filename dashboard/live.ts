// SPDX-License-Identifier: Apache-2.0
/**
 * The live values of the screen: server-sent events of /v1/live, or polling where the stream is not available. The
 * pages that tick use it.
 */
import { useEffect, useState } from "preact/hooks";
import { ApiError, getChannel, getLedger, getVideo, type LedgerMinute, openEvents, parse, type Totals } from "./api";
import { eventMessages } from "./event-messages";

export interface LiveState {
  /** `connecting` until the first message; `offline` while nothing answers. */
  link: "connecting" | "live" | "polling" | "offline";
  asOfMs: number;
  completeThroughMs: number;
  /** Accepted events a second. */
  rate: number;
  totals: ReadonlyMap<string, Totals>;
  channels: ReadonlyMap<string, Totals>;
  /** By start, the last hour and what is timestamped ahead. */
  books: ReadonlyMap<string, LedgerMinute>;
}

/** What is watched, beside the rate. */
interface Watched {
  videos: readonly string[];
  channels: readonly string[];
  books: boolean;
}

interface Message {
  asOf: string;
  completeThrough: string;
  rate?: number;
  totals?: Record<string, Totals>;
  channels?: Record<string, { totals: Totals }>;
  books?: LedgerMinute[];
}

const NOTHING: LiveState = {
  link: "connecting",
  asOfMs: 0,
  completeThroughMs: 0,
  rate: 0,
  totals: new Map(),
  channels: new Map(),
  books: new Map(),
};
const POLL_MS = 2_000;
const HOUR_MS = 3_600_000;
/** Until the service says after how long a stream that was cut is opened again. */
const RETRY_MS = 2_000;
/** A stream that says nothing for so long is cut: a message comes every second. */
const SILENT_MS = 15_000;
/** Failures in a row after which the stream is given up for polling. */
const MAX_FAILURES = 3;

export function useLive(watched: Watched): LiveState {
  const [state, setState] = useState<LiveState>(NOTHING);
  const question = JSON.stringify(watched);
  useEffect(() => {
    setState((before) => ({ ...before, link: "connecting" }));
    const stop = new AbortController();
    void follow(JSON.parse(question) as Watched, setState, stop.signal);
    return () => stop.abort();
  }, [question]);
  return state;
}

type Change = (change: (before: LiveState) => LiveState) => void;

/**
 * An event stream that is read with fetch: an EventSource sends no headers, and therefore no key. The stream goes on
 * behind the last message where it was cut. Ends when the signal is aborted.
 */
async function follow(watched: Watched, change: Change, stop: AbortSignal): Promise<void> {
  const { videos, channels, books } = watched;
  const asked = {
    videos: videos.length > 0 ? videos.join(",") : undefined,
    channels: channels.length > 0 ? channels.join(",") : undefined,
    books: books ? 1 : undefined,
  };
  let lastEventId: string | undefined;
  let retryMs = RETRY_MS;
  for (let failures = 0; failures < MAX_FAILURES; failures++) {
    const silence = new Silence(stop);
    try {
      const body = await openEvents(asked, lastEventId, silence.signal);
      for await (const { id, retry, data } of eventMessages(body)) {
        silence.broken();
        lastEventId = id ?? lastEventId;
        retryMs = retry ?? retryMs;
        if (data === undefined) continue;
        failures = -1;
        const message = parse(data) as Message;
        change((before) => merged(before, message, "live"));
      }
    } catch (error) {
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) break;
    } finally {
      silence.end();
    }
    if (stop.aborted) return;
    change((before) => ({ ...before, link: "offline" }));
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    if (stop.aborted) return;
  }
  if (!stop.aborted) poll(watched, change, stop);
}

/** Aborts when the page stops asking, or when nothing has come for too long. */
class Silence {
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly stop: AbortSignal) {
    stop.addEventListener("abort", this.#abort);
    this.broken();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  broken(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#abort, SILENT_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.stop.removeEventListener("abort", this.#abort);
    this.#abort();
  }

  readonly #abort = (): void => this.#controller.abort();
}

function poll({ videos, channels, books }: Watched, change: Change, stop: AbortSignal): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let before: { atMs: number; accepted: number } | undefined;
  const turn = async () => {
    try {
      const start = new Date(Date.now() - HOUR_MS).toISOString();
      const [ledger, ownVideos, ownChannels] = await Promise.all([
        getLedger({ start }),
        Promise.all(videos.map(getVideo)),
        Promise.all(channels.map(getChannel)),
      ]);
      const atMs = Date.parse(ledger.asOf);
      const { accepted } = ledger.totals;
      const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1000;
      const rate = seconds > 0 ? Math.max(0, (accepted - before!.accepted) / seconds) : 0;
      before = { atMs, accepted };
      const message = {
        ...ledger,
        rate,
        totals: Object.fromEntries(ownVideos.map((video) => [video.videoId, video.totals])),
        channels: Object.fromEntries(ownChannels.map((channel) => [channel.channelId, channel])),
        ...(books ? { books: ledger.minutes } : {}),
      };
      if (!stop.aborted) change((state) => merged(state, message, "polling"));
    } catch {
      if (!stop.aborted) change((state) => ({ ...state, link: "offline" }));
    }
    if (!stop.aborted) timer = setTimeout(turn, POLL_MS);
  };
  stop.addEventListener("abort", () => clearTimeout(timer));
  void turn();
}

function merged(before: LiveState, message: Message, link: "live" | "polling"): LiveState {
  const asOfMs = Date.parse(message.asOf);
  const totals = new Map(before.totals);
  for (const [videoId, its] of Object.entries(message.totals ?? {})) totals.set(videoId, its);
  const channels = new Map(before.channels);
  for (const [channelId, its] of Object.entries(message.channels ?? {})) channels.set(channelId, its.totals);
  const books = new Map(before.books);
  for (const minute of message.books ?? []) books.set(minute.start, minute);
  for (const start of books.keys()) if (Date.parse(start) < asOfMs - HOUR_MS) books.delete(start);
  const completeThroughMs = Date.parse(message.completeThrough);
  return { link, asOfMs, completeThroughMs, rate: message.rate ?? before.rate, totals, channels, books };
}
