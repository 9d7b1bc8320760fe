// SPDX-License-Identifier: Apache-2.0
/** The first step of an audit: which minutes and hours it looks at, cut into units of bounded size. */
import { FIRST_MINUTE, LAST_MINUTE } from "../../domain/archive-name";
import { MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { Archive, CounterStore, Ledger, LogProgress } from "../../io/ports";
import type { AuditUnit } from "../../transforms/audit-elements";

export interface AuditPlan {
  /** The units in ascending order of their minutes, without repetition. */
  units: AuditUnit[];
  /** The number of events that the range is known to hold. */
  events: number;
  /** The range in minutes, half-open: as the caller gave it, or from the first to the end of the last known minute. */
  fromMinute: number;
  toMinute: number;
}

interface AskedPlan {
  /** Undefined: from the first to the end of the last known minute. */
  fromMinute: number | undefined;
  toMinute: number | undefined;
  eventsAUnit: number;
}

interface PlanSources {
  archive: Pick<Archive, "minutes" | "list">;
  ledger: Pick<Ledger, "books">;
  progress: Pick<LogProgress, "accepted">;
  counters: Pick<CounterStore, "storedHours">;
}

/** Events of one unit: at most 58 bytes of a worker's memory each, and the names (docs/decisions/0040-columns.md). */
export const EVENTS_A_UNIT = 6_000_000;
/**
 * The least number of bytes that an object has for an event, because random ids do not compress. Used for minutes whose
 * books are lost.
 */
const LEAST_EVENT_BYTES = 12;

/**
 * Plans an audit of [fromMinute, toMinute). The plan holds every minute that was promised in any way (accepted, listed,
 * counted in the books, archived), and every hour with stored cells. The work depends on the promises, never on the
 * length of the range.
 */
export async function planAudit(
  { archive, ledger, progress, counters }: PlanSources,
  { fromMinute, toMinute, eventsAUnit }: AskedPlan,
): Promise<AuditPlan> {
  const from = Math.max(fromMinute ?? FIRST_MINUTE, FIRST_MINUTE);
  const to = Math.min(toMinute ?? LAST_MINUTE + 1, LAST_MINUTE + 1);
  const events = new Map<number, number>();
  const atLeast = (minute: number, count: number) => events.set(minute, Math.max(count, events.get(minute) ?? 0));
  for (const minute of await archive.minutes(from, to)) atLeast(minute, 0);
  for (const { minute, accepted, archived } of await ledger.books(from, to))
    atLeast(minute, Math.max(accepted, archived));
  for (const [minute, accepted] of await progress.accepted(from, to)) atLeast(minute, accepted);
  const hours = new Set([...events.keys()].map((minute) => Math.floor(minute / MINUTES_AN_HOUR)));
  const units: AuditUnit[] = [];
  let total = 0;
  for (const [minute, known] of events) {
    const count = known > 0 ? known : await eventsOf(archive, minute);
    total += count;
    const of = Math.max(1, Math.ceil(count / eventsAUnit));
    units.push(...partsOf(minute, of, Math.ceil(count / of)));
  }
  for await (const hour of counters.storedHours(Math.floor(from / MINUTES_AN_HOUR), Math.ceil(to / MINUTES_AN_HOUR))) {
    if (!hours.has(hour)) units.push({ minute: Math.max(from, hour * MINUTES_AN_HOUR), part: 0, of: 0, events: 0 });
  }
  units.sort((a, b) => a.minute - b.minute || a.part - b.part);
  const [first, last] = [units[0], units[units.length - 1]];
  return {
    units,
    events: total,
    fromMinute: fromMinute ?? first?.minute ?? 0,
    toMinute: toMinute ?? (last === undefined ? 0 : last.of === 0 ? endOfHour(last.minute) : last.minute + 1),
  };
}

export const partsOf = (minute: number, of: number, events: number): AuditUnit[] =>
  Array.from({ length: of }, (_, part) => ({ minute, part, of, events }));

const endOfHour = (minute: number): number => (Math.floor(minute / MINUTES_AN_HOUR) + 1) * MINUTES_AN_HOUR;

async function eventsOf(archive: Pick<Archive, "list">, minute: number): Promise<number> {
  const objects = await archive.list(minute, minute + 1);
  return Math.ceil(objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / LEAST_EVENT_BYTES);
}
