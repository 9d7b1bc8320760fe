// SPDX-License-Identifier: Apache-2.0
/**
 * Names of archive objects: `date=2026-11-21/hour=10/minute=03/<file>.avro`, by minute of event time (UTC). The stream,
 * the archiver and backfills name their objects by these rules, and the audit finds a minute's objects by its folder.
 */
import { MINUTE_MS } from "./rules/time";

const NAME = /^date=(\d{4}-\d{2}-\d{2})\/hour=(\d{2})\/minute=(\d{2})\/([A-Za-z0-9][A-Za-z0-9._-]{0,199}\.avro)$/;
const FILE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.avro$/;
/** The years 0001 to 9999: a date outside them has no four-digit year. */
export const FIRST_MINUTE = Date.parse("0001-01-01T00:00:00Z") / MINUTE_MS;
export const LAST_MINUTE = Date.UTC(9999, 11, 31, 23, 59) / MINUTE_MS;

const hasFolder = (minute: number): boolean =>
  Number.isInteger(minute) && minute >= FIRST_MINUTE && minute <= LAST_MINUTE;

/** `date=2026-11-21/hour=10/minute=03`. Throws a RangeError for a minute outside of the years 1 to 9999. */
export function minuteFolder(minute: number): string {
  if (!hasFolder(minute)) throw new RangeError(`minute ${minute} has no folder in the archive`);
  const time = new Date(minute * MINUTE_MS).toISOString();
  return `date=${time.slice(0, 10)}/hour=${time.slice(11, 13)}/minute=${time.slice(14, 16)}`;
}

/** Throws a RangeError for a file name that is not `<letters, digits, . _ ->.avro`: nothing leaves its folder. */
export function archiveObjectName(minute: number, fileName: string): string {
  if (!FILE.test(fileName)) throw new RangeError(`"${fileName.slice(0, 80)}" is not a name of an archive object`);
  return `${minuteFolder(minute)}/${fileName}`;
}

/**
 * Splits an object's name into its parts. Returns undefined for any other text, such as a path with `..` or an
 * impossible date.
 */
export function parseArchiveObjectName(name: string): { minute: number; fileName: string } | undefined {
  const [, date, hour, minuteOfHour, fileName] = NAME.exec(name) ?? [];
  if (fileName === undefined) return undefined;
  const minute = Date.parse(`${date}T${hour}:${minuteOfHour}:00Z`) / MINUTE_MS;
  if (!hasFolder(minute)) return undefined;
  return name === `${minuteFolder(minute)}/${fileName}` ? { minute, fileName } : undefined;
}

/** Writer name of backfilled objects: the first part of their file names, which no stream's writer may have. */
export const BACKFILL_WRITER = "backfill";

export const isBackfilled = (objectName: string): boolean => objectName.includes(`/${BACKFILL_WRITER}-`);
