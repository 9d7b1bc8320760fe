// SPDX-License-Identifier: Apache-2.0
/**
 * The names of objects: of ranges of minutes (`date=.../hour=.../minute=...` sorts by time), of dead letters, and of
 * the marks of replayed letters. The bytes of objects are those of io/formats/. The archive and the dead letters of
 * this folder name their objects with it.
 */
import { FIRST_MINUTE, LAST_MINUTE, minuteFolder, parseArchiveObjectName } from "../../domain/archive-name";
import type { ListQuery } from "./objects";

/** The minutes [from, to). */
export interface MinuteRange {
  from: number;
  to: number;
}

/** Returns the range within the years that have names; an empty range where `toMinute` is not after `fromMinute`. */
export function withinYears(fromMinute: number, toMinute: number): MinuteRange {
  const from = Math.max(Math.ceil(fromMinute), FIRST_MINUTE);
  return { from, to: Math.max(from, Math.min(Math.ceil(toMinute), LAST_MINUTE + 1)) };
}

/** Returns the names of a range that is not empty. */
export function namesOf({ from, to }: MinuteRange): ListQuery {
  return { below: "date=", from: minuteFolder(from), to: to > LAST_MINUTE ? "" : minuteFolder(to) };
}

/** An object of dead letters. Its name contains the number of its letters, so that they are counted without a read. */
export interface LetterObject {
  minute: number;
  /** Unique among the writing processes. */
  writer: string;
  sequence: number;
  letters: number;
}

interface LetterPlace extends LetterObject {
  /** The position of the letter, from 0. */
  index: number;
}

const FILE = /^([0-9a-f]{12})-(\d{9})-(\d{1,7})\.avro$/;
const ID = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)-([0-9a-f]{12})-(\d{9})-(\d{1,7})-(\d{1,7})$/;

/** `date=2026-11-21/hour=10/minute=03/<writer>-<sequence>-<letters>.avro` */
export function letterObjectName({ minute, writer, sequence, letters }: LetterObject): string {
  return `${minuteFolder(minute)}/${writer}-${String(sequence).padStart(9, "0")}-${letters}.avro`;
}

export function parseLetterObjectName(name: string): LetterObject | undefined {
  const place = parseArchiveObjectName(name);
  const [, writer, sequence, letters] = FILE.exec(place?.fileName ?? "") ?? [];
  if (place === undefined || writer === undefined) return undefined;
  return { minute: place.minute, writer, sequence: Number(sequence), letters: Number(letters) };
}

/** `202611211003-<writer>-<sequence>-<letters>-<index>` */
export function letterId({ minute, writer, sequence, letters, index }: LetterPlace): string {
  const time = minuteFolder(minute).replace(/\D/g, "");
  return `${time}-${writer}-${String(sequence).padStart(9, "0")}-${letters}-${index}`;
}

/** Returns undefined for an id that is not of this store. */
export function parseLetterId(id: string): LetterPlace | undefined {
  const [, year, month, day, hour, minute, writer, sequence, letters, index] = ID.exec(id) ?? [];
  if (index === undefined) return undefined;
  const name = `date=${year}-${month}-${day}/hour=${hour}/minute=${minute}/${writer}-${sequence}-${letters}.avro`;
  const object = parseLetterObjectName(name);
  const place = object && { ...object, index: Number(index) };
  return place !== undefined && place.index < place.letters && letterId(place) === id ? place : undefined;
}

/**
 * The folder of marks: one empty object for each letter and time of replay. So marking reads nothing, and listing marks
 * takes no other request.
 */
export const MARKS = "replayed/";

export function markName(place: LetterPlace, replayedAtMs: number): string {
  return `${marksOf(letterObjectName(place))}${place.index}-${replayedAtMs}`;
}

/** Returns the prefix of the names of an object's marks. */
export const marksOf = (objectName: string): string => `${MARKS}${objectName}/`;

export function parseMarkName(name: string): { objectName: string; index: number; replayedAtMs: number } | undefined {
  const [, objectName, index, replayedAtMs] = /^replayed\/(.+)\/(\d{1,7})-(-?\d{1,16})$/.exec(name) ?? [];
  if (objectName === undefined) return undefined;
  return { objectName, index: Number(index), replayedAtMs: Number(replayedAtMs) };
}
