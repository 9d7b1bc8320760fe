// SPDX-License-Identifier: Apache-2.0
/**
 * How long cells, books and letters are kept, by the settings. The schema, tiering and whoever opens the counters use
 * it.
 */
import { MINUTES_A_DAY } from "../../domain/rules/time";

/** The sections `retention` and `lateness` of the configuration; 0 days: as many as the other settings need. */
interface RetentionSettings {
  retention: Record<"rawDays" | "minuteDays" | "hourDays" | "ledgerDays" | "auditDays" | "deadLetterDays", number>;
  lateness: { finalAfterMinutes: number };
}

/**
 * Returns the least number of days that minutes stay in the store. Before a minute is rolled up, events for it must be
 * refused already, and the minute must be audited.
 */
export function leastMinuteDays({
  retention,
  lateness,
}: {
  retention: { rawDays: number };
  lateness: { finalAfterMinutes: number };
}) {
  return retention.rawDays + 1 + Math.ceil(lateness.finalAfterMinutes / MINUTES_A_DAY);
}

/** Returns how many days minutes and hours stay in the store. */
export function cellRetention(config: RetentionSettings): {
  minuteDays: number;
  hourDays: number;
} {
  const { minuteDays: asked, hourDays } = config.retention;
  const minuteDays = asked === 0 ? leastMinuteDays(config) : asked;
  return { minuteDays, hourDays: hourDays === 0 ? Math.max(USUAL_HOUR_DAYS, minuteDays) : hourDays };
}

const USUAL_HOUR_DAYS = 100;
const USUAL_LEDGER_DAYS = 366;
const USUAL_LETTER_DAYS = 90;

/** How many days books, reports of audits and dead letters are kept. */
export function bookRetention(config: RetentionSettings): {
  ledgerDays: number;
  auditDays: number;
  deadLetterDays: number;
} {
  const { ledgerDays: asked, auditDays, deadLetterDays, rawDays } = config.retention;
  const ledgerDays = asked === 0 ? Math.max(USUAL_LEDGER_DAYS, cellRetention(config).minuteDays + 1) : asked;
  const usualLetters = Math.min(Math.max(USUAL_LETTER_DAYS, rawDays), ledgerDays);
  return { ledgerDays, auditDays, deadLetterDays: deadLetterDays === 0 ? usualLetters : deadLetterDays };
}
