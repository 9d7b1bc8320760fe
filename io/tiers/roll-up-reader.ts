// SPDX-License-Identifier: Apache-2.0
/**
 * Reads cells that have moved from the store to roll-up files. io/tiers (counters, rankings, audit sums) and the
 * service's reader use it.
 */
import { hash } from "node:crypto";
import { rollUpPart } from "../../domain/rules/roll-ups";
import { type CellColumns, joined, type TimedCell } from "../formats/parquet/cell-columns";
import { CellFile } from "../formats/parquet/cell-file";
import { type RolledLevel, type RollUp, type RollUpBytes, type RollUpFolder, StoreUnavailableError } from "../ports";

/** The largest size in memory of the kept footers, in bytes. */
const MAX_OPEN_BYTES = 32 << 20;
const FILES_AT_ONCE = 8;

interface Asked {
  level: RolledLevel;
  videoId: string;
  eventType: string;
  fromMs: number;
  toMs: number;
}

/** Reads cells from roll-ups. Files never change, so their footers are kept. */
export class RollUpReader {
  readonly #open = new Map<string, Promise<CellFile>>();
  readonly #weights = new Map<string, number>();
  #openBytes = 0;

  constructor(private readonly folder: RollUpFolder) {}

  /** Returns the cells of one video and type in [fromMs, toMs), by time; cells of several files are added up. */
  async cells(rollUps: readonly RollUp[], asked: Asked): Promise<TimedCell[]> {
    const { videoId, eventType, fromMs, toMs } = asked;
    const files = rollUps.filter((one) => overlaps(one, asked) && one.part === rollUpPart(videoId, one.parts));
    const found = new Map<number, TimedCell>();
    for (let at = 0; at < files.length; at += FILES_AT_ONCE) {
      const read = files.slice(at, at + FILES_AT_ONCE).map((one) => this.#ofVideo(one, videoId));
      for (const columns of await Promise.all(read)) {
        for (const cell of cellsOf(columns)) {
          if (cell.eventType !== eventType || cell.startMs < fromMs || cell.startMs >= toMs) continue;
          const known = found.get(cell.startMs);
          found.set(cell.startMs, known === undefined ? cell : joined(known, cell));
        }
      }
    }
    return [...found.values()].sort((a, b) => a.startMs - b.startMs);
  }

  async #ofVideo(rollUp: RollUp, videoId: string): Promise<CellColumns> {
    const file = await this.#file(rollUp);
    try {
      return await file.ofVideo(videoId);
    } catch (error) {
      throw error instanceof StoreUnavailableError ? error : unreadable(rollUp, error);
    }
  }

  /**
   * Every cell of a file, which is read once. Rejects with `StoreUnavailableError` where the file is missing or has
   * other bytes than were written.
   */
  async all(rollUp: RollUp): Promise<CellColumns> {
    const { name, sizeBytes, sha256 } = rollUp;
    const content = await (await this.#wholeBytes(rollUp)).slice(0);
    if (hash("sha256", new Uint8Array(content), "hex") !== sha256) throw damaged(name);
    const inMemory = { byteLength: sizeBytes, slice: async (from: number, to?: number) => content.slice(from, to) };
    return (await openFile(rollUp, inMemory)).all();
  }

  /** Returns why a file is not what was written; undefined where it is. */
  async flawOf(rollUp: RollUp, extent: "size" | "whole"): Promise<string | undefined> {
    try {
      await (extent === "whole" ? this.all(rollUp) : this.#wholeBytes(rollUp));
      return undefined;
    } catch (error) {
      if (error instanceof StoreUnavailableError) return error.message;
      throw error;
    }
  }

  async #wholeBytes({ name, sizeBytes }: RollUp): Promise<RollUpBytes> {
    const bytes = await this.#bytes(name);
    if (bytes.byteLength !== sizeBytes) throw damaged(name);
    return bytes;
  }

  async #bytes(name: string): Promise<RollUpBytes> {
    const bytes = await this.folder.open(name);
    if (bytes === undefined) throw new StoreUnavailableError(`the roll-up ${name} is missing`);
    return bytes;
  }

  #file(rollUp: RollUp): Promise<CellFile> {
    const { name } = rollUp;
    const known = this.#open.get(name);
    // The most recently used file is removed last.
    this.#open.delete(name);
    const file = known ?? this.#opened(rollUp);
    this.#open.set(name, file);
    return file;
  }

  async #opened(rollUp: RollUp): Promise<CellFile> {
    const { name } = rollUp;
    try {
      const file = await openFile(rollUp, await this.#bytes(name));
      this.#weights.set(name, file.weightBytes);
      this.#openBytes += file.weightBytes;
      this.#trim();
      return file;
    } catch (error) {
      this.#open.delete(name);
      throw error;
    }
  }

  /** Removes the least recently used open files until the bound holds. Files still being opened are skipped. */
  #trim(): void {
    for (const name of this.#open.keys()) {
      if (this.#openBytes <= MAX_OPEN_BYTES) return;
      const weightBytes = this.#weights.get(name);
      if (weightBytes === undefined) continue;
      this.#open.delete(name);
      this.#weights.delete(name);
      this.#openBytes -= weightBytes;
    }
  }
}

const damaged = (name: string): StoreUnavailableError =>
  new StoreUnavailableError(`the roll-up ${name} is damaged: its bytes are not those that were written`);

const unreadable = ({ name }: RollUp, error: unknown): StoreUnavailableError =>
  new StoreUnavailableError(`the roll-up ${name} cannot be read: ${(error as Error).message}`, { cause: error });

async function openFile(rollUp: RollUp, bytes: RollUpBytes): Promise<CellFile> {
  const { name, cells } = rollUp;
  const file = await CellFile.open(bytes).catch((error: unknown) => {
    throw unreadable(rollUp, error);
  });
  if (file.rows !== cells) throw new StoreUnavailableError(`the roll-up ${name} has ${file.rows} cells, not ${cells}`);
  return file;
}

export const overlaps = (
  { level, fromMs, toMs }: { level: RolledLevel; fromMs: number; toMs: number },
  asked: { level: RolledLevel; fromMs: number; toMs: number },
): boolean => level === asked.level && fromMs < asked.toMs && toMs > asked.fromMs;

export function* cellsOf(columns: CellColumns): Generator<TimedCell, void, undefined> {
  for (let row = 0; row < columns.length; row++) yield columns.cell(row);
}
