// SPDX-License-Identifier: Apache-2.0
/**
 * The archive in a bucket of Cloud Storage. Names order objects by time, so a range of minutes is a range of names: it
 * is listed in pages of a thousand objects, the hours of a day at the same time. The archiver of a cluster writes it,
 * and audits read it.
 */

import { archiveObjectName, minuteFolder, parseArchiveObjectName } from "../../domain/archive-name";
import { MINUTES_A_DAY } from "../../domain/rules/time";
import type { Archive, ArchiveObject } from "../ports";
import { type MinuteRange, namesOf, withinYears } from "./codec";
import type { GcsOptions } from "./config";
import { GcsObjects } from "./objects";

const CONTENT_TYPE = "application/avro";
const HOUR_MINUTES = 60;

/** Thrown when an object of that name exists with other bytes. */
class ObjectExistsError extends Error {
  override readonly name = "ObjectExistsError";
}

class ObjectMissingError extends Error {
  override readonly name = "ObjectMissingError";
}

export class GcsArchive implements Archive {
  readonly #objects: GcsObjects;

  /** Throws a RangeError for invalid options; connects at the first call. */
  constructor(options: GcsOptions) {
    this.#objects = new GcsObjects(options);
  }

  /** Rejects with RangeError for an invalid name, with `StoreUnavailableError` when the outcome is unknown. */
  async write(minute: number, fileName: string, content: Uint8Array): Promise<ArchiveObject> {
    const name = archiveObjectName(minute, fileName);
    await this.#objects.put(name, content, CONTENT_TYPE);
    return { name, minute, sizeBytes: content.byteLength };
  }

  /**
   * Writes as `write` does, but never replaces other bytes, for writers that might give a name twice. Writing the same
   * bytes again changes nothing. Rejects with `ObjectExistsError`.
   */
  async writeOnce(minute: number, fileName: string, content: Uint8Array): Promise<ArchiveObject> {
    const name = archiveObjectName(minute, fileName);
    if (!(await this.#objects.create(name, content, CONTENT_TYPE))) {
      throw new ObjectExistsError(`bucket ${this.#objects.config.bucket} has another ${name}`);
    }
    return { name, minute, sizeBytes: content.byteLength };
  }

  async list(fromMinute: number, toMinute: number): Promise<ArchiveObject[]> {
    const { from, to } = withinYears(fromMinute, toMinute);
    const spans = to - from <= MINUTES_A_DAY ? hourSpans(from, to) : daySpans(await this.#days(from, to), from, to);
    return (await Promise.all(spans.map((span) => this.#listSpan(span)))).flat();
  }

  /**
   * Rejects with RangeError for an invalid name, with `ObjectMissingError`, and with `StoreUnavailableError`, also when
   * received bytes repeatedly differ from the object's checksum.
   */
  async read(name: string): Promise<Uint8Array> {
    if (parseArchiveObjectName(name) === undefined) {
      throw new RangeError(`"${name.slice(0, 120)}" is not a name of an archive object`);
    }
    const content = await this.#objects.read(name);
    if (content === undefined) throw new ObjectMissingError(`bucket ${this.#objects.config.bucket} has no ${name}`);
    return content;
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (parseArchiveObjectName(name) === undefined) throw new RangeError(`"${name.slice(0, 120)}" is not a name`);
    }
    await Promise.all(names.map((name) => this.#objects.remove(name)));
  }

  /**
   * Sends one request for each day and one for each hour that has objects. A minute's folder counts, whatever it holds.
   */
  async minutes(fromMinute: number, toMinute: number): Promise<number[]> {
    const { from, to } = withinYears(fromMinute, toMinute);
    const days = to - from <= MINUTES_A_DAY ? startsOf(from, to, MINUTES_A_DAY) : await this.#days(from, to);
    const hours = await Promise.all(
      days.map((day) => this.#folders(`${minuteFolder(day).slice(0, "date=2026-11-21".length)}/`, hourOf)),
    );
    const hourStarts = hours.flat().filter((hour) => hour + HOUR_MINUTES > from && hour < to);
    const minutes = await Promise.all(hourStarts.map((hour) => this.#folders(`${hourFolder(hour)}/`, minuteOf)));
    return minutes.flat().filter((minute) => minute >= from && minute < to);
  }

  /** Ends idle connections. */
  close(): void {
    this.#objects.close();
  }

  async #listSpan(span: MinuteRange): Promise<ArchiveObject[]> {
    const found: ArchiveObject[] = [];
    for await (const { objects } of this.#objects.list(namesOf(span))) {
      for (const object of objects) {
        const minute = parseArchiveObjectName(object.name)?.minute;
        if (minute !== undefined) found.push({ ...object, minute });
      }
    }
    return found;
  }

  /** Returns the first minutes of the days of the range that have folders. */
  async #days(from: number, to: number): Promise<number[]> {
    const days = await this.#folders("", dayOf);
    return days.filter((day) => day + MINUTES_A_DAY > from && day < to);
  }

  /** Returns the times of the folders directly below another; folders of other names are skipped. */
  async #folders(below: string, startOf: (folder: string) => number | undefined): Promise<number[]> {
    const starts: number[] = [];
    for await (const { folders } of this.#objects.list({ below, foldersOnly: true })) {
      for (const folder of folders) {
        const start = startOf(folder);
        if (start !== undefined) starts.push(start);
      }
    }
    return starts;
  }
}

/** Returns the starts of the days or hours that touch [from, to). */
function startsOf(from: number, to: number, lengthMinutes: number): number[] {
  const starts: number[] = [];
  for (let start = Math.floor(from / lengthMinutes) * lengthMinutes; start < to; start += lengthMinutes) {
    if (start + lengthMinutes > from && from < to) starts.push(start);
  }
  return starts;
}

function hourSpans(from: number, to: number): MinuteRange[] {
  return startsOf(from, to, HOUR_MINUTES).map((start) => clipped(start, HOUR_MINUTES, from, to));
}

function daySpans(days: readonly number[], from: number, to: number): MinuteRange[] {
  return days.map((start) => clipped(start, MINUTES_A_DAY, from, to));
}

function clipped(start: number, lengthMinutes: number, from: number, to: number): MinuteRange {
  return { from: Math.max(start, from), to: Math.min(start + lengthMinutes, to) };
}

const hourFolder = (hour: number): string => minuteFolder(hour).slice(0, "date=2026-11-21/hour=10".length);
const dayOf = (folder: string): number | undefined => minuteOf(`${folder}hour=00/minute=00/`);
const hourOf = (folder: string): number | undefined => minuteOf(`${folder}minute=00/`);
const minuteOf = (folder: string): number | undefined => parseArchiveObjectName(`${folder}any.avro`)?.minute;
