// SPDX-License-Identifier: Apache-2.0
/** The readings of each alert rule, from the stores of the deployment. Each look at a rule begins with one. */
import type { AlertReading, AlertRule, AlertSubject, RateRule } from "../../../domain/rules/alerts";
import { DAY_MS, MINUTE_MS } from "../../../domain/rules/time";
import type { Cell, CounterStore, DeadLetters, Ledger, LogProgress, Total, VideoCatalog } from "../../../io/ports";
import { ChannelCounters, unbalancedMinutes } from "../../../query-api";
import type { Round } from "../canary/round";

/** Reports of the last day are looked for among so many. */
const AUDITS_READ = 200;
const DAYS_BEFORE = 7;
/** Books are read piece by piece, so that a day of them delays no other work. */
const MINUTES_AT_ONCE = 360;

export interface ReadingSources {
  counters: Pick<CounterStore, "totals" | "read">;
  catalog?: VideoCatalog;
  ledger: Pick<Ledger, "audits" | "books">;
  progress: Pick<LogProgress, "completeThroughMs" | "accepted">;
  deadLetters: Pick<DeadLetters, "waiting">;
  /** The canary's last round; undefined: none has ended in this process. */
  canaryRound: () => Round | undefined;
  clock: () => number;
}

/** Undefined where nothing can be said now. Rejects with `StoreUnavailableError`, ChannelTooLargeError. */
export async function readingFor(rule: AlertRule, sources: ReadingSources): Promise<AlertReading | undefined> {
  switch (rule.kind) {
    case "video-passes":
    case "channel-passes": {
      const totals = await totalsOf(rule, sources);
      return totals === undefined ? undefined : { kind: "count", count: totals.get(rule.eventType)?.count ?? 0 };
    }
    case "rate":
      return rateReading(rule, sources);
    case "canary": {
      const round = sources.canaryRound();
      return round === undefined ? undefined : { kind: "canary", outcome: round.outcome, detail: round.detail };
    }
    case "audit-differs":
      return auditReading(sources);
    case "unbalanced":
      return { kind: "unbalanced", minutes: await unbalancedOfTheDay(sources) };
    case "dead-letters": {
      const { reason, waiting } = rule;
      return { kind: "letters", waiting: (await sources.deadLetters.waiting(reason, waiting)).count };
    }
    default:
      return rule satisfies never;
  }
}

/** Undefined where channels are not added up. */
async function totalsOf(
  { videoId, channelId }: AlertSubject,
  { counters, catalog }: ReadingSources,
): Promise<Map<string, Total> | undefined> {
  if (videoId !== undefined) return counters.totals(videoId);
  if (catalog === undefined || channelId === undefined) return undefined;
  return new ChannelCounters({ counters, catalog }).totals(channelId);
}

/** Reads the last complete minutes, so that a stream that is behind does not look like silence. */
async function rateReading(rule: RateRule, sources: ReadingSources): Promise<AlertReading | undefined> {
  const completeThroughMs = await sources.progress.completeThroughMs(sources.clock());
  const endMs = Math.floor(completeThroughMs / MINUTE_MS) * MINUTE_MS;
  const rangeMs = rule.minutes * MINUTE_MS;
  if (endMs - rangeMs - DAYS_BEFORE * DAY_MS < 0) return undefined;
  const counts: number[] = [];
  for (let days = 0; days <= DAYS_BEFORE; days++) {
    const events = await eventsIn(rule, endMs - days * DAY_MS - rangeMs, endMs - days * DAY_MS, sources);
    if (events === undefined) return undefined;
    counts.push(events);
  }
  const [count = 0, ...before] = counts;
  return { kind: "rate", endMs, count, before };
}

async function eventsIn(
  { videoId, channelId, eventType = "VIEW" }: RateRule,
  startMs: number,
  endMs: number,
  { counters, catalog, ledger }: ReadingSources,
): Promise<number | undefined> {
  if (videoId !== undefined) return sumOf(await counters.read(videoId, eventType, startMs, endMs, "minute"));
  if (channelId === undefined) {
    const books = await ledger.books(startMs / MINUTE_MS, endMs / MINUTE_MS);
    return books.reduce((events, { counted }) => events + counted, 0);
  }
  if (catalog === undefined) return undefined;
  const channels = new ChannelCounters({ counters, catalog });
  return sumOf(await channels.read(channelId, eventType, startMs, endMs, "minute"));
}

const sumOf = (cells: readonly Cell[]): number => cells.reduce((events, { count }) => events + count, 0);

async function auditReading({ ledger, clock }: ReadingSources): Promise<AlertReading> {
  const sinceMs = clock() - DAY_MS;
  const reports = (await ledger.audits(AUDITS_READ)).filter(({ startedAtMs }) => startedAtMs >= sinceMs);
  const readings = reports.map(({ id, outcome, cellsDiffering, fromMs, toMs }) => {
    return { id, outcome, cellsDiffering, fromMs, toMs };
  });
  return { kind: "audits", reports: readings };
}

/** Reads the minutes that have ended, because the open one never balances for long. */
async function unbalancedOfTheDay(sources: ReadingSources): Promise<number[]> {
  const to = Math.floor(sources.clock() / MINUTE_MS);
  const minutes: number[] = [];
  for (let from = to - DAY_MS / MINUTE_MS; from < to; from += MINUTES_AT_ONCE)
    minutes.push(...(await unbalancedMinutes(sources, from, Math.min(from + MINUTES_AT_ONCE, to))));
  return minutes;
}
