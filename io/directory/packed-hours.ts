// SPDX-License-Identifier: Apache-2.0
/**
 * Reads the packs of a directory archive: `date=2026-11-21/hour=10/packed.avro`, an hour's objects in one file. The
 * archive looks there for an object that is no file of its own.
 */
import { closeSync, fstatSync, openSync, read, readSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { parseArchiveObjectName } from "../../domain/archive-name";
import { AvroError } from "../formats/avro/binary";
import { MAX_HEAD_BYTES, type PackIndex, packIndex, withSync } from "../formats/avro/packed-objects";
import type { ArchiveObject } from "../ports";

export const PACK_FILE = "packed.avro";

const readAsync = promisify(read);
/** An object of more is read by the thread pool. */
const SMALL_BYTES = 64 << 10;
/** Objects of indexes that are remembered, each of some 200 bytes. */
const MAX_REMEMBERED = 200_000;

interface PackedPlace {
  at: number;
  bodyBytes: number;
  sync: string;
  object: ArchiveObject;
}

interface Pack {
  index: PackIndex;
  /** By name; in the order of the pack. */
  places: ReadonlyMap<string, PackedPlace>;
  byMinute: ReadonlyMap<number, readonly ArchiveObject[]>;
}

export class PackedHours {
  readonly #known = new Map<string, { key: string; pack: Pack }>();
  #remembered = 0;

  constructor(private readonly folder: string) {}

  /** The pack of `date=../hour=..`; undefined: the hour has none. Throws AvroError where the file is damaged. */
  pack(hourFolder: string): Pack | undefined {
    const descriptor = this.#open(hourFolder);
    if (descriptor === undefined) return undefined;
    try {
      return this.#packOf(hourFolder, descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  /** The content that the object was packed with; undefined: no pack has it. */
  async read(name: string): Promise<Buffer | undefined> {
    const hourFolder = dirname(dirname(name));
    const descriptor = this.#open(hourFolder);
    if (descriptor === undefined) return undefined;
    // A pack is replaced whole: the index is of this very file.
    try {
      return await contentIn(descriptor, this.#packOf(hourFolder, descriptor), name);
    } finally {
      closeSync(descriptor);
    }
  }

  #open(hourFolder: string): number | undefined {
    try {
      return openSync(join(this.folder, hourFolder, PACK_FILE), "r");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      throw error;
    }
  }

  #packOf(hourFolder: string, descriptor: number): Pack {
    const { ino, size, mtimeMs } = fstatSync(descriptor);
    const key = `${ino} ${size} ${mtimeMs}`;
    const known = this.#known.get(hourFolder);
    if (known?.key === key) return known.pack;
    const pack = packIn(descriptor, size, hourFolder);
    this.#forget(hourFolder);
    while (this.#known.size > 0 && this.#remembered + pack.places.size > MAX_REMEMBERED)
      this.#forget(this.#known.keys().next().value!);
    this.#known.set(hourFolder, { key, pack });
    this.#remembered += pack.places.size;
    return pack;
  }

  #forget(hourFolder: string): void {
    this.#remembered -= this.#known.get(hourFolder)?.pack.places.size ?? 0;
    this.#known.delete(hourFolder);
  }
}

/** Reads the index of an open pack. Throws AvroError where the file is damaged. */
export function packIn(descriptor: number, sizeBytes: number, hourFolder: string): Pack {
  try {
    return placesOf(hourFolder, indexIn(descriptor, sizeBytes));
  } catch (error) {
    throw new AvroError(`${hourFolder}/${PACK_FILE} is damaged: ${(error as Error).message}`);
  }
}

/** The content of an object of an open pack; undefined: the pack has none of that name. */
export async function contentIn(descriptor: number, pack: Pack, name: string): Promise<Buffer | undefined> {
  const place = pack.places.get(name);
  if (place === undefined) return undefined;
  const blocks = await bytesAt(descriptor, place.at, place.bodyBytes);
  const own = Buffer.from(place.sync, "hex");
  return Buffer.concat([pack.index.head, own, withSync(blocks, pack.index.sync, own)]);
}

function indexIn(descriptor: number, sizeBytes: number): PackIndex {
  for (let bytes = Math.min(MAX_HEAD_BYTES, sizeBytes); ; bytes = Math.min(bytes * 4, sizeBytes)) {
    const beginning = Buffer.allocUnsafeSlow(bytes);
    const index = packIndex(beginning.subarray(0, readSync(descriptor, beginning, 0, bytes, 0)));
    if (index !== undefined) return index;
    if (bytes === sizeBytes) throw new Error(`a pack of ${sizeBytes} bytes ends inside its index`);
  }
}

function placesOf(hourFolder: string, index: PackIndex): Pack {
  const places = new Map<string, PackedPlace>();
  const byMinute = new Map<number, ArchiveObject[]>();
  let at = index.bodyAt;
  for (const { name: own, bodyBytes, writtenAtMs, sync } of index.objects) {
    const name = `${hourFolder}/${own}`;
    const minute = parseArchiveObjectName(name)?.minute;
    if (minute === undefined) throw new Error(`the pack of ${hourFolder} has an object "${own.slice(0, 120)}"`);
    const sizeBytes = index.head.length + index.sync.length + bodyBytes;
    const object = { name, minute, sizeBytes, writtenAtMs };
    places.set(name, { at, bodyBytes, sync, object });
    const ofMinute = byMinute.get(minute);
    if (ofMinute === undefined) byMinute.set(minute, [object]);
    else ofMinute.push(object);
    at += bodyBytes;
  }
  return { index, places, byMinute };
}

async function bytesAt(descriptor: number, at: number, length: number): Promise<Buffer> {
  const content = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    const more =
      length <= SMALL_BYTES
        ? readSync(descriptor, content, done, length - done, at + done)
        : (await readAsync(descriptor, content, done, length - done, at + done)).bytesRead;
    if (more === 0) throw new Error("a pack ends inside an object");
    done += more;
  }
  return content;
}
