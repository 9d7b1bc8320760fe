// SPDX-License-Identifier: Apache-2.0
/** The lengths of a minute, an hour and a day (UTC has no other days), in each unit that the code counts in. */
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
export const MINUTES_AN_HOUR = 60;
export const HOURS_A_DAY = 24;
export const MINUTES_A_DAY = HOURS_A_DAY * MINUTES_AN_HOUR;
