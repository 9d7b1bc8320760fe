// SPDX-License-Identifier: Apache-2.0
/**
 * When an alert fires: rules over readings of the deployment. A rule fires once for each crossing: when its condition
 * begins to hold, and not again before the condition has ceased to hold. The service judges its alert rules with it
 * (cli/programs/alerts), and the alert store keeps the states.
 */
import type { RejectionReason } from "../rejection";
import { MINUTE_MS } from "./time";

/** The video or the channel that a rule reads; without either, all events of the deployment. */
export interface AlertSubject {
  videoId?: string | undefined;
  channelId?: string | undefined;
}

export type AlertRule = { name: string } & (
  | { kind: "video-passes"; videoId: string; eventType: string; count: number }
  | { kind: "channel-passes"; channelId: string; eventType: string; count: number }
  | RateRule
  | { kind: "canary"; minutes: number }
  | { kind: "audit-differs" }
  | { kind: "unbalanced"; minutes: number }
  | { kind: "dead-letters"; reason: RejectionReason; waiting: number }
);

/** The events of the last `minutes` against the mean of the same minutes on the days of the last week. */
export interface RateRule extends AlertSubject {
  kind: "rate";
  /** The video or channel; absent for all events. */
  eventType?: string | undefined;
  minutes: number;
  /** Fires where the rate is at least so many times the mean. */
  above?: number | undefined;
  /** Fires where the rate is at most this part of the mean. */
  below?: number | undefined;
  /** Days with fewer events, and a mean below it, say nothing. */
  least: number;
}

/** The result of an audit, as far as alerts need it. */
interface AuditReading {
  id: string;
  outcome: "equal" | "repaired" | "differences" | "not-comparable";
  cellsDiffering: number;
  fromMs: number;
  toMs: number;
}

/** The reading of the deployment for one rule. */
export type AlertReading =
  | { kind: "count"; count: number }
  /** `before`: the events of the same minutes, one day to seven days before. */
  | { kind: "rate"; endMs: number; count: number; before: readonly number[] }
  | { kind: "canary"; outcome: string; detail: string }
  /** Reports of the last day. */
  | { kind: "audits"; reports: readonly AuditReading[] }
  /** Minutes of event time of the last day whose books do not balance now. */
  | { kind: "unbalanced"; minutes: readonly number[] }
  | { kind: "letters"; waiting: number };

/** The state of a rule between two readings. */
export interface AlertState {
  /** Since when the condition holds, by what it holds for. */
  since: Readonly<Record<string, number>>;
  /** For what the rule has fired, while the condition goes on holding. */
  fired: readonly string[];
}

export const NO_ALERT: AlertState = { since: {}, fired: [] };

export interface Crossing {
  /** The subject for which the condition holds: empty, or the id of an audit. */
  subject: string;
  detail: string;
}

interface Condition {
  /** Each subject's condition is a crossing of its own. */
  subject: string;
  detail: string;
  /** How long the condition must hold before the rule fires. */
  forMs: number;
}

/** The state after a look at `nowMs`, and the crossings that the look has found. */
export function judged(
  rule: AlertRule,
  reading: AlertReading,
  state: AlertState,
  nowMs: number,
): { state: AlertState; crossings: Crossing[] } {
  const conditions = conditionsOf(rule, reading);
  // A clock that was set back must not keep a rule from firing until it has caught up.
  const since = Object.fromEntries(
    conditions.map(({ subject }) => [subject, Math.min(state.since[subject] ?? nowMs, nowMs)]),
  );
  const due = conditions.filter(({ subject, forMs }) => nowMs - since[subject]! >= forMs);
  const firing = rule.kind === "unbalanced" ? asOne(due) : due;
  const crossings = firing
    .filter(({ subject }) => !state.fired.includes(subject))
    .map(({ subject, detail }) => ({ subject, detail }));
  return { state: { since, fired: firing.map(({ subject }) => subject) }, crossings };
}

const WHOLE = "";

/**
 * Returns the subjects for which the rule's condition holds now, each with the time for which it must go on. Throws
 * RangeError for another rule's reading.
 */
function conditionsOf(rule: AlertRule, reading: AlertReading): Condition[] {
  const one = (holds: boolean, detail: string, forMs = 0): Condition[] =>
    holds ? [{ subject: WHOLE, detail, forMs }] : [];
  switch (rule.kind) {
    case "video-passes":
    case "channel-passes": {
      const { count } = expected(reading, "count");
      const what = rule.kind === "video-passes" ? `video ${rule.videoId}` : `channel ${rule.channelId}`;
      return one(count >= rule.count, `${what} has ${count} ${rule.eventType}, and ${rule.count} were waited for`);
    }
    case "rate":
      return rateConditions(rule, expected(reading, "rate"));
    case "canary": {
      const { outcome, detail } = expected(reading, "canary");
      return one(outcome !== "ok", `the canary: ${outcome}: ${detail}`, rule.minutes * MINUTE_MS);
    }
    case "audit-differs":
      return expected(reading, "audits")
        .reports.filter(({ outcome }) => outcome !== "equal")
        .map(auditCondition);
    case "unbalanced":
      return expected(reading, "unbalanced").minutes.map((minute) => ({
        subject: String(minute),
        detail: timeText(minute * MINUTE_MS),
        forMs: rule.minutes * MINUTE_MS,
      }));
    case "dead-letters": {
      const { waiting } = expected(reading, "letters");
      return one(
        waiting >= rule.waiting,
        `at least ${waiting} dead letters of reason ${rule.reason} wait for a replay`,
      );
    }
    default:
      return rule satisfies never;
  }
}

function rateConditions(
  { minutes, above, below, least, videoId, channelId, eventType }: RateRule,
  { count, before, endMs }: Extract<AlertReading, { kind: "rate" }>,
): Condition[] {
  const days = before.filter((events) => events >= least);
  if (days.length === 0) return [];
  const mean = days.reduce((sum, events) => sum + events, 0) / days.length;
  const isAbove = above !== undefined && count >= above * mean;
  const isBelow = below !== undefined && count <= below * mean;
  if (!isAbove && !isBelow) return [];
  const whose = videoId !== undefined ? `video ${videoId}` : channelId !== undefined ? `channel ${channelId}` : "all";
  const events = eventType === undefined ? "events" : eventType;
  const detail = `${whose}: ${count} ${events} in ${minutes} minutes before ${timeText(endMs)}, and ${mean.toFixed(1)} in the same minutes of ${days.length} days before`;
  return [{ subject: isAbove ? "above" : "below", detail, forMs: 0 }];
}

function auditCondition({ id, outcome, cellsDiffering, fromMs, toMs }: AuditReading): Condition {
  const range = fromMs === toMs ? "the totals" : `${timeText(fromMs)} to ${timeText(toMs)}`;
  return { subject: id, detail: `audit ${id} of ${range}: ${outcome}, ${cellsDiffering} cells differ`, forMs: 0 };
}

/** Minute after minute may fail to balance for one reason: the first of them fires, for all. */
function asOne(due: readonly Condition[]): Condition[] {
  const [first] = due;
  if (first === undefined) return [];
  const many = due.length === 1 ? "a minute does" : `${due.length} minutes do`;
  return [{ subject: WHOLE, detail: `${many} not balance, the first ${first.detail}`, forMs: 0 }];
}

function expected<Kind extends AlertReading["kind"]>(
  reading: AlertReading,
  kind: Kind,
): Extract<AlertReading, { kind: Kind }> {
  if (reading.kind !== kind) throw new RangeError(`a reading of ${kind} is wanted, and this is one of ${reading.kind}`);
  return reading as Extract<AlertReading, { kind: Kind }>;
}

const timeText = (timeMs: number): string => new Date(timeMs).toISOString();
