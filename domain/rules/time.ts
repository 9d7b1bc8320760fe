// SPDX-License-Identifier: Apache-2.0
/** The units of time, which every file takes from here. */

/**
 * The lengths of a minute, an hour and a day (UTC has no other days), in each unit that the code counts in. No other
 * file defines one: test/system/architecture.
 */
export const SECONDS_A_MINUTE = 60;
export const MINUTES_AN_HOUR = 60;
export const HOURS_A_DAY = 24;

export const SECONDS_AN_HOUR = MINUTES_AN_HOUR * SECONDS_A_MINUTE;
export const SECONDS_A_DAY = HOURS_A_DAY * SECONDS_AN_HOUR;
export const MINUTES_A_DAY = HOURS_A_DAY * MINUTES_AN_HOUR;

export const MINUTE_MS = SECONDS_A_MINUTE * 1000;
export const HOUR_MS = MINUTES_AN_HOUR * MINUTE_MS;
export const DAY_MS = HOURS_A_DAY * HOUR_MS;

/** Minutes and hours count from 1970, and are negative before. */
export const hourOf = (minute: number): number => Math.floor(minute / MINUTES_AN_HOUR);
export const dayOf = (hour: number): number => Math.floor(hour / HOURS_A_DAY);
