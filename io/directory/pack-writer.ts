// SPDX-License-Identifier: Apache-2.0
/**
 * Packs of a directory archive: written beside, synced, read back and compared, then renamed to their name in one step;
 * only then the objects outside of the pack are deleted. Whoever reads meanwhile finds an object outside, in the pack,
 * or in both. `viewmill tier` packs with it, through the archive.
 */
import { hash, randomUUID } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, rmSync, statSync } from "node:fs";
import { type FileHandle, open, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { minuteFolder, parseArchiveObjectName } from "../../domain/archive-name";
import { MINUTES_AN_HOUR } from "../../domain/rules/time";
import { makeFolder } from "../flow/make-folder";
import {
  headOf,
  MAX_HEAD_BYTES,
  type PackedObject,
  packHead,
  packSync,
  withSync,
} from "../formats/avro/packed-objects";
import type { ArchivePacking } from "../ports";
import { namesIn, syncFolder } from "./folder-files";
import { contentIn, PACK_FILE, packIn } from "./packed-hours";

interface PackWriterOptions {
  /** The archive's. */
  folder: string;
  staging: string;
  /** The content of an object, wherever it is. */
  read(name: string): Promise<Uint8Array>;
  /** Called when a step has been made; tests stop a process there. */
  onStep?: (step: PackStep) => void;
}

/** `staged`: the pack is written and right; `renamed`: it is read; `deleted`: the objects are in it alone. */
export type PackStep = "staged" | "renamed" | "deleted";

/** An object outside of the pack, as it was when its header was read. */
interface LooseObject {
  name: string;
  file: string;
  sizeBytes: number;
  mtimeMs: number;
  ino: number;
}

interface Source extends PackedObject {
  /** In the archive. */
  fullName: string;
}

export const hourFolderOf = (minute: number): string => minuteFolder(minute).slice(0, "date=2026-11-21/hour=10".length);

export class PackWriter implements ArchivePacking {
  constructor(private readonly options: PackWriterOptions) {}

  async looseHours(beforeHour: number): Promise<number[]> {
    const hours: number[] = [];
    for (const date of await matching(this.options.folder, /^date=\d{4}-\d{2}-\d{2}$/)) {
      for (const hour of await matching(join(this.options.folder, date), /^hour=\d{2}$/)) {
        const minute = parseArchiveObjectName(`${date}/${hour}/minute=00/any.avro`)?.minute;
        if (minute === undefined || minute >= beforeHour * MINUTES_AN_HOUR) continue;
        const folders = await matching(join(this.options.folder, date, hour), MINUTE_FOLDER);
        if (folders.length > 0) hours.push(minute / MINUTES_AN_HOUR);
      }
    }
    return hours.sort((a, b) => a - b);
  }

  async pack(hour: number): Promise<number> {
    const hourFolder = hourFolderOf(hour * MINUTES_AN_HOUR);
    const loose = await this.#packAll(hourFolder);
    for (const object of loose) this.#deleteUnchanged(object);
    for (const folder of await matching(join(this.options.folder, hourFolder), MINUTE_FOLDER))
      await rmdir(join(this.options.folder, hourFolder, folder)).catch(() => undefined);
    if (loose.length === 0) return 0;
    await syncFolder(join(this.options.folder, hourFolder));
    this.options.onStep?.("deleted");
    return loose.length;
  }

  async #packAll(hourFolder: string): Promise<LooseObject[]> {
    for (const damaged = new Set<string>(); ; ) {
      const { head, sources, loose } = await this.#sources(hourFolder, damaged);
      if (head === undefined || loose.length === 0) return [];
      try {
        await this.#replace(hourFolder, head, sources);
        return loose;
      } catch (error) {
        // Left as it is, for audits to find.
        if (!(error instanceof DamagedObjectError)) throw error;
        damaged.add(error.object);
      }
    }
  }

  /** Takes objects out of the pack of an hour; the pack goes with its last one. */
  async without(hourFolder: string, gone: ReadonlySet<string>): Promise<void> {
    const { head, sources } = await this.#packed(hourFolder);
    const left = sources.filter(({ fullName }) => !gone.has(fullName));
    if (head === undefined || left.length === sources.length) return;
    if (left.length > 0) await this.#replace(hourFolder, head, left);
    else await rm(join(this.options.folder, hourFolder, PACK_FILE), { force: true });
  }

  async clearStaged(beforeMs: number): Promise<void> {
    for (const name of await matching(this.options.staging, /\.tmp$/)) {
      const file = join(this.options.staging, name);
      const found = await stat(file).catch(() => undefined);
      if (found !== undefined && found.mtimeMs < beforeMs) await rm(file, { force: true });
    }
  }

  /** What the pack of the hour is to hold: objects of one header. Those of another header stay as they are. */
  async #sources(hourFolder: string, damaged: ReadonlySet<string>) {
    const packed = await this.#packed(hourFolder);
    let { head } = packed;
    const sources = new Map(packed.sources.map((source) => [source.fullName, source]));
    const loose: LooseObject[] = [];
    for (const folder of await matching(join(this.options.folder, hourFolder), MINUTE_FOLDER)) {
      for (const fileName of await matching(join(this.options.folder, hourFolder, folder), /\.avro$/)) {
        const name = `${folder}/${fileName}`;
        const fullName = `${hourFolder}/${name}`;
        if (parseArchiveObjectName(fullName) === undefined || damaged.has(fullName)) continue;
        const found = beginningOf(join(this.options.folder, fullName));
        if (found === undefined || (head !== undefined && !head.equals(found.head))) continue;
        head ??= found.head;
        const bodyBytes = found.sizeBytes - found.head.length - found.sync.length;
        const source = { name, bodyBytes, writtenAtMs: found.mtimeMs, sync: found.sync.toString("hex"), fullName };
        sources.set(fullName, source);
        loose.push({ ...found, name: fullName });
      }
    }
    return { head, sources: [...sources.values()].sort(byName), loose };
  }

  async #packed(hourFolder: string): Promise<{ head: Buffer | undefined; sources: Source[] }> {
    const file = join(this.options.folder, hourFolder, PACK_FILE);
    if (statSync(file, { throwIfNoEntry: false }) === undefined) return { head: undefined, sources: [] };
    const descriptor = openSync(file, "r");
    try {
      const { head, objects } = packIn(descriptor, fstatSync(descriptor).size, hourFolder).index;
      return { head, sources: objects.map((object) => ({ ...object, fullName: `${hourFolder}/${object.name}` })) };
    } finally {
      closeSync(descriptor);
    }
  }

  async #replace(hourFolder: string, head: Buffer, sources: readonly Source[]): Promise<void> {
    const staged = join(this.options.staging, `${randomUUID()}.tmp`);
    makeFolder(this.options.staging);
    try {
      const handle = await open(staged, "wx");
      let digests: Map<string, string>;
      try {
        digests = await this.#write(handle, hourFolder, head, sources);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await compare(staged, hourFolder, digests);
      this.options.onStep?.("staged");
      await rename(staged, join(this.options.folder, hourFolder, PACK_FILE));
    } catch (error) {
      await rm(staged, { force: true });
      throw error;
    }
    await syncFolder(join(this.options.folder, hourFolder));
    this.options.onStep?.("renamed");
  }

  async #write(handle: FileHandle, hourFolder: string, head: Buffer, sources: readonly Source[]) {
    const digests = new Map<string, string>();
    const sync = packSync(hourFolder);
    await handle.writeFile(packHead(hourFolder, head, sources));
    for (const source of sources) {
      const content = await this.options.read(source.fullName);
      const own = Buffer.from(source.sync, "hex");
      const body = content.subarray(head.length + own.length);
      if (body.length !== source.bodyBytes) throw new Error(`${source.fullName} changed while it was packed`);
      digests.set(source.fullName, hash("sha256", content, "hex"));
      await handle.writeFile(underSync(source.fullName, body, own, sync));
    }
    return digests;
  }

  /** An object that was written again meanwhile stays, and stands for the one in the pack. */
  #deleteUnchanged({ file, sizeBytes, mtimeMs, ino }: LooseObject): void {
    const now = statSync(file, { throwIfNoEntry: false });
    if (now?.size === sizeBytes && now.mtimeMs === mtimeMs && now.ino === ino) rmSync(file);
  }
}

class DamagedObjectError extends Error {
  override readonly name = "DamagedObjectError";

  constructor(
    readonly object: string,
    cause: unknown,
  ) {
    super(`${object} is damaged`, { cause });
  }
}

function underSync(object: string, body: Uint8Array, from: Buffer, to: Buffer): Buffer {
  try {
    return withSync(body, from, to);
  } catch (error) {
    throw new DamagedObjectError(object, error);
  }
}

const MINUTE_FOLDER = /^minute=\d{2}$/;
const byName = (a: Source, b: Source): number => (a.name < b.name ? -1 : 1);

/** Throws where the pack does not give back each object as it was. */
async function compare(staged: string, hourFolder: string, digests: ReadonlyMap<string, string>): Promise<void> {
  const descriptor = openSync(staged, "r");
  try {
    const pack = packIn(descriptor, fstatSync(descriptor).size, hourFolder);
    for (const [name, digest] of digests) {
      const content = await contentIn(descriptor, pack, name);
      if (content === undefined || hash("sha256", content, "hex") !== digest)
        throw new Error(`the pack of ${hourFolder} does not give back ${name} as it was`);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The header of an object; undefined: it has none that could be packed, and is left to whoever reads it. */
function beginningOf(file: string) {
  const descriptor = openSync(file, "r");
  try {
    const { size, mtimeMs, ino } = fstatSync(descriptor);
    const beginning = Buffer.allocUnsafe(Math.min(MAX_HEAD_BYTES, size));
    const { head, sync } = headOf(beginning.subarray(0, readSync(descriptor, beginning, 0, beginning.length, 0)));
    return { head: Buffer.from(head), sync: Buffer.from(sync), file, sizeBytes: size, mtimeMs, ino };
  } catch {
    return undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** Ascending; empty when there is no such folder. */
const matching = async (folder: string, pattern: RegExp): Promise<string[]> =>
  (await namesIn(folder)).filter((name) => pattern.test(name)).sort();
