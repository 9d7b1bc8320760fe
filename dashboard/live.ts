// SPDX-License-Identifier: Apache-2.0
/** The live values of the screen: server-sent events of /v1/live, or polling where the stream is not available. */
import { useEffect, useState } from "preact/hooks";
import { getLedger, getVideo, hasKey, type LedgerMinute, parse, type Totals } from "./api";

export interface LiveState {
  /** `connecting` until the first message; `offline` while nothing answers. */
  link: "connecting" | "live" | "polling" | "offline";
  asOfMs: number;
  completeThroughMs: number;
  /** Accepted events a second. */
  rate: number;
  totals: ReadonlyMap<string, Totals>;
  /** The last hour and minutes ahead of now, by start. */
  books: ReadonlyMap<string, LedgerMinute>;
}

interface Message {
  asOf: string;
  completeThrough: string;
  rate?: number;
  totals?: Record<string, Totals>;
  books?: LedgerMinute[];
}

const NOTHING: LiveState = {
  link: "connecting",
  asOfMs: 0,
  completeThroughMs: 0,
  rate: 0,
  totals: new Map(),
  books: new Map(),
};
const POLL_MS = 2_000;
const HOUR_MS = 3_600_000;
/** The number of failures in a row after which polling replaces the browser's own reconnecting. */
const MAX_FAILURES = 3;

/** Returns the live state of these videos; `books` adds the minutes of the last hour. */
export function useLive(videos: readonly string[], books: boolean): LiveState {
  const [state, setState] = useState<LiveState>(NOTHING);
  const watched = videos.join(",");
  useEffect(() => {
    setState((before) => ({ ...before, link: "connecting" }));
    return follow(watched === "" ? [] : watched.split(","), books, setState);
  }, [watched, books]);
  return state;
}

type Change = (change: (before: LiveState) => LiveState) => void;

function follow(videos: readonly string[], books: boolean, change: Change): () => void {
  if (hasKey()) return poll(videos, books, change);
  const search = new URLSearchParams();
  if (videos.length > 0) search.set("videos", videos.join(","));
  if (books) search.set("books", "1");
  const source = new EventSource(`/v1/live?${search}`);
  let failures = 0;
  let stopPolling = (): void => {};
  source.addEventListener("live", (event) => {
    failures = 0;
    const message = parse((event as MessageEvent<string>).data) as Message;
    change((before) => merged(before, message, "live"));
  });
  source.addEventListener("error", () => {
    failures++;
    change((before) => ({ ...before, link: "offline" }));
    if (failures < MAX_FAILURES && source.readyState !== EventSource.CLOSED) return;
    source.close();
    stopPolling = poll(videos, books, change);
  });
  return () => {
    source.close();
    stopPolling();
  };
}

function poll(videos: readonly string[], books: boolean, change: Change): () => void {
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let before: { atMs: number; accepted: number } | undefined;
  const turn = async () => {
    try {
      const start = new Date(Date.now() - HOUR_MS).toISOString();
      const [ledger, ...found] = await Promise.all([getLedger({ start }), ...videos.map(getVideo)]);
      const atMs = Date.parse(ledger.asOf);
      const { accepted } = ledger.totals;
      const seconds = before === undefined ? 0 : (atMs - before.atMs) / 1000;
      const rate = seconds > 0 ? Math.max(0, (accepted - before!.accepted) / seconds) : 0;
      before = { atMs, accepted };
      const totals = Object.fromEntries(found.map((video) => [video.videoId, video.totals]));
      const message = { ...ledger, rate, totals, ...(books ? { books: ledger.minutes } : {}) };
      if (!stopped) change((state) => merged(state, message, "polling"));
    } catch {
      if (!stopped) change((state) => ({ ...state, link: "offline" }));
    }
    if (!stopped) timer = setTimeout(turn, POLL_MS);
  };
  void turn();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

function merged(before: LiveState, message: Message, link: "live" | "polling"): LiveState {
  const asOfMs = Date.parse(message.asOf);
  const totals = new Map(before.totals);
  for (const [videoId, its] of Object.entries(message.totals ?? {})) totals.set(videoId, its);
  const books = new Map(before.books);
  for (const minute of message.books ?? []) books.set(minute.start, minute);
  for (const start of books.keys()) if (Date.parse(start) < asOfMs - HOUR_MS) books.delete(start);
  const completeThroughMs = Date.parse(message.completeThrough);
  return { link, asOfMs, completeThroughMs, rate: message.rate ?? before.rate, totals, books };
}
