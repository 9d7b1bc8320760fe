// SPDX-License-Identifier: Apache-2.0
/**
 * One round of the canary: what it sends, what it must read back, and which of both it found wrong. The canary runs one
 * each minute, and alerts read the last one.
 */
import { setTimeout as wait } from "node:timers/promises";
import { Delivery } from "../../../client/delivery";
import { CANARY_PREFIX } from "../../../domain/canary";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../../domain/rules/time";

/** The events of a round. Each is sent twice, and counts once. */
export const ROUND_EVENTS = 5;
const EVENT_TYPE = "VIEW";
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;

export interface CanaryTarget {
  /** The public road: the load balancer's address, where there is one. */
  url: string;
  /** The headers, with a key that may write and read, where keys are required. */
  headers: Readonly<Record<string, string>>;
  /** Default: the platform's. */
  fetch?: typeof fetch;
  /** The canary's name: letters, digits, `-`. Rounds of the same name and minute are the same events. */
  name: string;
  /** The time by which a round must be counted. */
  deadlineMs: number;
}

type RoundOutcome =
  /** Every level has the sent events. */
  | "ok"
  /** The write API did not accept the events. */
  | "unsent"
  /** Fewer events are counted than were sent; only the next rounds distinguish `slow` from `lost`. */
  | "lost"
  /** More events are counted than were sent. */
  | "doubled"
  /** The levels do not agree with each other. */
  | "unequal"
  /** The read API did not answer. */
  | "unread";

export interface Round {
  minute: number;
  outcome: RoundOutcome;
  /** The time from sending to the complete answer. */
  seconds: number;
  lost: number;
  doubled: number;
  detail: string;
}

interface Level {
  count: number;
  buckets: { count: number }[];
}

interface Seen {
  minute: number;
  minutes: number;
  hour: number;
  hours: number;
  day: number;
  total: number;
}

/**
 * Sends the events of the current minute twice by the public road, and reads them back at each level until all are
 * right or the deadline passes.
 */
export async function canaryRound(target: CanaryTarget, nowMs: number, signal: AbortSignal): Promise<Round> {
  const minute = Math.floor(nowMs / MINUTE_MS);
  const started = performance.now();
  const round = (outcome: RoundOutcome, detail: string, counted = 0): Round => ({
    minute,
    outcome,
    seconds: (performance.now() - started) / 1000,
    lost: outcome === "lost" ? ROUND_EVENTS - counted : 0,
    doubled: outcome === "doubled" ? counted - ROUND_EVENTS : 0,
    detail,
  });
  const refusal = (await send(target, minute, nowMs, signal)) ?? (await send(target, minute, nowMs, signal));
  if (refusal !== undefined) return round("unsent", refusal);
  let last: Round = round("unread", "nothing was read");
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2)) {
    try {
      const seen = await read(target, nowMs, signal);
      const [outcome, detail] = judged(seen);
      last = round(outcome, detail, seen.minute);
    } catch (error) {
      last = round("unread", (error as Error).message);
    }
    if (last.outcome === "ok" || last.outcome === "doubled" || signal.aborted) return last;
    if (performance.now() - started + pauseMs > target.deadlineMs) return last;
    await wait(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

function judged({ minute, minutes, hour, hours, day, total }: Seen): [RoundOutcome, string] {
  if (minute < ROUND_EVENTS) return ["lost", `${minute} of ${ROUND_EVENTS} events are counted`];
  if (minute > ROUND_EVENTS) return ["doubled", `${minute} are counted, and ${ROUND_EVENTS} were sent`];
  if (minutes !== hour) return ["unequal", `the minutes of the hour add up to ${minutes}, and the hour says ${hour}`];
  if (hours !== day) return ["unequal", `the hours of the day add up to ${hours}, and the day says ${day}`];
  if (total < day) return ["unequal", `the total is ${total}, and the day alone has ${day}`];
  return ["ok", "every level says what was sent"];
}

async function send(
  target: CanaryTarget,
  minute: number,
  nowMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const events = Array.from({ length: ROUND_EVENTS }, (_, n) => ({
    eventId: `canary-${target.name}-${minute}-${n}`,
    videoId: videoOf(target),
    eventType: EVENT_TYPE,
    eventTime: nowMs,
  }));
  const { url, headers, fetch } = target;
  const delivery = new Delivery({ url, headers, ...(fetch && { fetch }), retries: 3, deliverWithinMs: 30_000 });
  const body = Buffer.from(JSON.stringify(events));
  const outcome = await delivery.deliver(
    body,
    { "Content-Type": "application/json" },
    { events: ROUND_EVENTS, signal },
  );
  if (outcome.kind !== "answered") return outcome.detail;
  return outcome.rejected[0]?.detail;
}

const videoOf = ({ name }: CanaryTarget): string => `${CANARY_PREFIX}${name}`;

async function read(target: CanaryTarget, nowMs: number, signal: AbortSignal): Promise<Seen> {
  const level = (granularity: string, lengthMs: number) => {
    const startMs = Math.floor(nowMs / lengthMs) * lengthMs;
    const [start, end] = [startMs, startMs + lengthMs].map((timeMs) => new Date(timeMs).toISOString());
    const asked = new URLSearchParams({ eventType: EVENT_TYPE, start: start!, end: end!, granularity });
    return get<Level>(target, `/counts?${asked}`, signal);
  };
  const [minute, minutes, hour, hours, day, video] = await Promise.all([
    level("minute", MINUTE_MS),
    level("minute", HOUR_MS),
    level("hour", HOUR_MS),
    level("hour", DAY_MS),
    level("day", DAY_MS),
    get<{ totals: Record<string, { count: number } | undefined> }>(target, "", signal),
  ]);
  const sum = ({ buckets }: Level) => buckets.reduce((total, { count }) => total + count, 0);
  return {
    minute: minute.count,
    minutes: sum(minutes),
    hour: sum(hour),
    hours: sum(hours),
    day: sum(day),
    total: video.totals[EVENT_TYPE]?.count ?? 0,
  };
}

async function get<T>(target: CanaryTarget, path: string, signal: AbortSignal): Promise<T> {
  const url = `${target.url.replace(/\/$/, "")}/v1/videos/${encodeURIComponent(videoOf(target))}${path}`;
  const timeout = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
  const response = await (target.fetch ?? fetch)(url, { headers: target.headers, signal: timeout });
  if (response.status !== 200) throw new Error(`${path === "" ? "the video" : "counts"}: answered ${response.status}`);
  return (await response.json()) as T;
}
