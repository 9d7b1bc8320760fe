// SPDX-License-Identifier: Apache-2.0
/**
 * The embedded archive: a directory. An object is written to a staging folder, synced, renamed to its name, and the
 * folder synced: readers see it whole or not at all, and it survives power loss once `write` resolves. The stream of
 * one machine, the archiver and backfills write it; audits read it; `viewmill tier` packs and removes. Claims are kept
 * in the same form (claims.ts).
 */

import { randomUUID } from "node:crypto";
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  archiveObjectName,
  FIRST_MINUTE,
  LAST_MINUTE,
  minuteFolder,
  parseArchiveObjectName,
} from "../../domain/archive-name";
import { MINUTES_A_DAY, MINUTES_AN_HOUR } from "../../domain/rules/time";
import { Semaphore } from "../flow/semaphore";
import { type Archive, type ArchiveObject, type ArchivePacking, StoreUnavailableError } from "../ports";
import { hasCode, namesIn, syncFolder } from "./folder-files";
import { hourFolderOf, type PackStep, PackWriter } from "./pack-writer";
import { PackedHours } from "./packed-hours";

export interface DirectoryArchiveOptions {
  /** The archive's folder, created when missing. */
  folder: string;
  /** The number of objects written or read at the same time. Default 16: syncs of several files overlap on the disk. */
  concurrency?: number;
  /** Called when a step of packing has been made; tests stop a process there. */
  onPackStep?: (step: PackStep) => void;
}

/** The folder in which objects are written before they get their name; `list` never reads it. */
const STAGING = ".staging";
/** The size above which the thread pool reads an object. */
const SMALL_BYTES = 64 << 10;
/** The number of folders remembered as existing. */
const MAX_KNOWN_FOLDERS = 10_000;
/** Errors that are not the caller's fault, and pass when the disk works again. */
const UNAVAILABLE = new Set(["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "EMFILE", "ENFILE"]);

export class DirectoryArchive implements Archive {
  readonly #folder: string;
  readonly #slots: Semaphore;
  readonly #knownFolders = new Set<string>();
  readonly #packed: PackedHours;
  readonly #packs: PackWriter;

  constructor(options: DirectoryArchiveOptions) {
    this.#folder = options.folder;
    this.#slots = new Semaphore(options.concurrency ?? 16);
    this.#packed = new PackedHours(options.folder);
    const { folder, onPackStep: onStep } = options;
    const read = (name: string) => this.read(name);
    this.#packs = new PackWriter({ folder, staging: join(folder, STAGING), read, ...(onStep && { onStep }) });
  }

  get packing(): ArchivePacking {
    return this.#packs;
  }

  /**
   * Rejects with RangeError for an invalid name, with `StoreUnavailableError` when the disk is full or read-only. A
   * rejected write leaves no file.
   */
  async write(minute: number, fileName: string, content: Uint8Array): Promise<ArchiveObject> {
    const name = archiveObjectName(minute, fileName);
    await this.#slots.run(() => orUnavailable(() => this.#writeDurably(name, content)));
    return { name, minute, sizeBytes: content.byteLength };
  }

  async list(fromMinute: number, toMinute: number): Promise<ArchiveObject[]> {
    const minutes = await this.#minuteFolders(fromMinute, toMinute);
    const byMinute = await Promise.all(
      minutes.map((minute) => this.#slots.run(() => orUnavailable(() => this.#objectsOf(minute)))),
    );
    return byMinute.flat();
  }

  /** Rejects with RangeError for an invalid name, with the file system's error when no such object exists. */
  async read(name: string): Promise<Uint8Array> {
    if (parseArchiveObjectName(name) === undefined) {
      throw new RangeError(`"${name.slice(0, 120)}" is not a name of an archive object`);
    }
    return this.#slots.run(() => orUnavailable(() => this.#content(name)));
  }

  /**
   * Looks for the object's own file first and then in the pack, because packing writes the pack before it removes the
   * file.
   */
  async #content(name: string): Promise<Uint8Array> {
    const file = join(this.#folder, name);
    try {
      return readIfSmall(file) ?? (await readFile(file));
    } catch (error) {
      if (!hasCode(error, "ENOENT") && !hasCode(error, "ENOTDIR")) throw error;
      const content = await this.#packed.read(name);
      if (content === undefined) throw error;
      return content;
    }
  }

  async minutes(fromMinute: number, toMinute: number): Promise<number[]> {
    const minutes = await this.#minuteFolders(fromMinute, toMinute);
    const used = await Promise.all(
      minutes.map((minute) =>
        this.#slots.run(
          async () => (await this.#fileNames(minute)).length > 0 || (await this.#packedOf(minute)).length > 0,
        ),
      ),
    );
    return minutes.filter((_, index) => used[index]);
  }

  /** Removes the objects, then every folder left empty. A writer creates a missing folder again. */
  async remove(names: readonly string[]): Promise<void> {
    const folders = new Set<string>();
    for (const name of names) {
      if (parseArchiveObjectName(name) === undefined) throw new RangeError(`"${name.slice(0, 120)}" is not a name`);
      await this.#slots.run(() => orUnavailable(() => rm(join(this.#folder, name), { force: true })));
      folders.add(dirname(name));
    }
    for (const [hourFolder, gone] of Map.groupBy(names, (name) => dirname(dirname(name)))) {
      if (this.#packed.pack(hourFolder) === undefined) continue;
      await orUnavailable(() => this.#packs.without(hourFolder, new Set(gone)));
    }
    for (const minute of folders) {
      for (let folder = minute; folder !== "."; folder = dirname(folder)) {
        if (!(await removedEmpty(join(this.#folder, folder)))) break;
      }
    }
    this.#knownFolders.clear();
  }

  /** Removes the files that crashed writers left in the staging folder. Called only while no writer runs. */
  async clearStaging(): Promise<void> {
    await orUnavailable(() => rm(join(this.#folder, STAGING), { recursive: true, force: true }));
    this.#knownFolders.clear();
  }

  async #writeDurably(name: string, content: Uint8Array): Promise<void> {
    const staged = join(this.#folder, STAGING, `${randomUUID()}.tmp`);
    const target = join(this.#folder, name);
    try {
      await this.#ensureFolder(dirname(staged));
      await writeSynced(staged, content).catch(async (error: unknown) => {
        if (!hasCode(error, "ENOENT")) throw error;
        // The folder was removed by another process, so no folder counts as known any more.
        this.#knownFolders.clear();
        await this.#ensureFolder(dirname(staged));
        await writeSynced(staged, content);
      });
      await this.#ensureFolder(dirname(target));
      await rename(staged, target).catch(async (error: unknown) => {
        if (!hasCode(error, "ENOENT")) throw error;
        this.#knownFolders.clear();
        await this.#ensureFolder(dirname(target));
        await rename(staged, target);
      });
      await syncFolder(dirname(target));
    } catch (error) {
      await rm(staged, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  /** Creates a folder and its parents. Each new folder is durable through a sync of the folder that holds it. */
  async #ensureFolder(folder: string): Promise<void> {
    if (this.#knownFolders.has(folder)) return;
    const parent = dirname(folder);
    try {
      await mkdir(folder);
    } catch (error) {
      if (hasCode(error, "ENOENT")) {
        await this.#ensureFolder(parent);
        await mkdir(folder).catch((again: unknown) => {
          if (!hasCode(again, "EEXIST")) throw again;
        });
      } else if (!hasCode(error, "EEXIST")) throw error;
    }
    // An existing folder needs the sync, too: another writer may have made it a moment ago without a sync yet.
    await syncFolder(parent);
    if (this.#knownFolders.size >= MAX_KNOWN_FOLDERS) this.#knownFolders.clear();
    this.#knownFolders.add(folder);
  }

  /** Returns the minutes whose folder exists, ascending; reads only the days and hours of the range. */
  async #minuteFolders(fromMinute: number, toMinute: number): Promise<number[]> {
    const minutes: number[] = [];
    if (toMinute <= fromMinute) return minutes;
    // Reading a minute's objects costs as much as checking its folder.
    if (toMinute === fromMinute + 1 && isArchiveMinute(fromMinute)) return [fromMinute];
    for (const date of await this.#subfolders("", /^date=\d{4}-\d{2}-\d{2}$/)) {
      const dayStart = minuteOf(`${date}/hour=00/minute=00`);
      if (dayStart === undefined || dayStart + MINUTES_A_DAY <= fromMinute || dayStart >= toMinute) continue;
      for (const hour of await this.#subfolders(date, /^hour=\d{2}$/)) {
        const hourStart = minuteOf(`${date}/${hour}/minute=00`);
        if (hourStart === undefined || hourStart + MINUTES_AN_HOUR <= fromMinute || hourStart >= toMinute) continue;
        const found = new Set<number>();
        for (const folder of await this.#subfolders(`${date}/${hour}`, /^minute=\d{2}$/)) {
          const minute = minuteOf(`${date}/${hour}/${folder}`);
          if (minute !== undefined) found.add(minute);
        }
        // The pack is read after the folders, so that an object packed meanwhile is not missed (see `#content`).
        for (const minute of this.#packed.pack(`${date}/${hour}`)?.byMinute.keys() ?? []) found.add(minute);
        const sorted = [...found].sort((a, b) => a - b);
        minutes.push(...sorted.filter((minute) => minute >= fromMinute && minute < toMinute));
      }
    }
    return minutes;
  }

  async #subfolders(folder: string, pattern: RegExp): Promise<string[]> {
    const names = await this.#slots.run(() => orUnavailable(() => namesIn(join(this.#folder, folder))));
    return names.filter((name) => pattern.test(name)).sort();
  }

  async #fileNames(minute: number): Promise<string[]> {
    const folder = minuteFolder(minute);
    const names = await orUnavailable(async () => namesInMinute(join(this.#folder, folder)));
    return names.filter((file) => parseArchiveObjectName(`${folder}/${file}`) !== undefined).sort();
  }

  async #objectsOf(minute: number): Promise<ArchiveObject[]> {
    const objects: ArchiveObject[] = [];
    for (const file of await this.#fileNames(minute)) {
      const name = `${minuteFolder(minute)}/${file}`;
      // undefined: the object was packed after the folder was listed. It is found in the pack below.
      const found = statSync(join(this.#folder, name), { throwIfNoEntry: false });
      if (found === undefined) continue;
      objects.push({ name, minute, sizeBytes: found.size, writtenAtMs: found.mtimeMs });
    }
    const packed = await this.#packedOf(minute);
    if (packed.length === 0) return objects;
    const loose = new Set(objects.map(({ name }) => name));
    for (const object of packed) if (!loose.has(object.name)) objects.push(object);
    return objects.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #packedOf(minute: number): Promise<readonly ArchiveObject[]> {
    return orUnavailable(async () => this.#packed.pack(hourFolderOf(minute))?.byMinute.get(minute) ?? []);
  }
}

function minuteOf(folder: string): number | undefined {
  return parseArchiveObjectName(`${folder}/any.avro`)?.minute;
}

async function removedEmpty(folder: string): Promise<boolean> {
  return rmdir(folder).then(
    () => true,
    (error: unknown) => {
      // A packed object no longer has a minute folder.
      if (hasCode(error, "ENOENT")) return true;
      if (hasCode(error, "ENOTEMPTY") || hasCode(error, "EEXIST")) return false;
      throw error;
    },
  );
}

const isArchiveMinute = (minute: number): boolean =>
  Number.isInteger(minute) && minute >= FIRST_MINUTE && minute <= LAST_MINUTE;

/**
 * Returns the content of a file of at most SMALL_BYTES, or undefined for a larger one. The read is synchronous, as in
 * the SQLite stores. An audit reads one small object for each audited minute, and four thread-pool calls cost twenty
 * times the read.
 */
function readIfSmall(file: string): Buffer | undefined {
  const descriptor = openSync(file, "r");
  try {
    const { size } = fstatSync(descriptor);
    if (size > SMALL_BYTES) return undefined;
    const content = Buffer.allocUnsafeSlow(size);
    let read = 0;
    while (read < size) {
      const more = readSync(descriptor, content, read, size - read, read);
      if (more === 0) return content.subarray(0, read);
      read += more;
    }
    return content;
  } finally {
    closeSync(descriptor);
  }
}

/** Returns the file names in a minute's folder; none where it is missing. */
function namesInMinute(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return [];
    throw error;
  }
}

async function writeSynced(file: string, content: Uint8Array): Promise<void> {
  const handle = await open(file, "wx");
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && "code" in error && UNAVAILABLE.has(String(error.code))) {
      throw new StoreUnavailableError(`the archive cannot be used: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
