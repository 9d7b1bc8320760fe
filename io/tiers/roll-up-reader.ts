// SPDX-License-Identifier: Apache-2.0
import { hash } from "node:crypto";
import { rollUpPart } from "../../domain/rules/roll-ups";
import { type CellColumns, joined, type TimedCell } from "../formats/parquet/cell-columns";
import { CellFile } from "../formats/parquet/cell-file";
import { type RolledLevel, type RollUp, type RollUpFolder, StoreUnavailableError } from "../ports";

/** The number of kept footers, each of some ten kilobytes. */
const MAX_OPEN = 256;
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

  constructor(private readonly folder: RollUpFolder) {}

  /** Returns the cells of one video and type in [fromMs, toMs), by time; cells of several files are added up. */
  async cells(rollUps: readonly RollUp[], asked: Asked): Promise<TimedCell[]> {
    const { videoId, eventType, fromMs, toMs } = asked;
    const files = rollUps.filter((one) => overlaps(one, asked) && one.part === rollUpPart(videoId, one.parts));
    const found = new Map<number, TimedCell>();
    for (let at = 0; at < files.length; at += FILES_AT_ONCE) {
      const read = files.slice(at, at + FILES_AT_ONCE).map(async (one) => (await this.#file(one)).ofVideo(videoId));
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

  /** Returns every cell of a file; rejects where its bytes differ from the written ones. */
  async all(rollUp: RollUp): Promise<CellColumns> {
    await this.#verify(rollUp);
    return (await this.#file(rollUp)).all();
  }

  /** Rejects with `StoreUnavailableError` where a file is missing or its bytes differ from the written ones. */
  async #verify({ name, sizeBytes, sha256 }: RollUp): Promise<void> {
    const bytes = await this.folder.open(name);
    if (bytes === undefined) throw new StoreUnavailableError(`the roll-up ${name} is missing`);
    const digest = hash("sha256", new Uint8Array(await bytes.slice(0)), "hex");
    if (bytes.byteLength !== sizeBytes || digest !== sha256)
      throw new StoreUnavailableError(`the roll-up ${name} is damaged: its bytes are not those that were written`);
  }

  #file(rollUp: RollUp): Promise<CellFile> {
    const { name } = rollUp;
    let file = this.#open.get(name);
    if (file === undefined) {
      if (this.#open.size >= MAX_OPEN) this.#open.delete(this.#open.keys().next().value!);
      file = this.#openFile(rollUp);
      this.#open.set(name, file);
      file.catch(() => this.#open.delete(name));
    }
    return file;
  }

  async #openFile({ name, cells }: RollUp): Promise<CellFile> {
    const bytes = await this.folder.open(name);
    if (bytes === undefined) throw new StoreUnavailableError(`the roll-up ${name} is missing`);
    const file = await CellFile.open(bytes).catch((error: unknown) => {
      throw new StoreUnavailableError(`the roll-up ${name} cannot be read: ${(error as Error).message}`, {
        cause: error,
      });
    });
    if (file.rows !== cells)
      throw new StoreUnavailableError(`the roll-up ${name} has ${file.rows} cells, not ${cells}`);
    return file;
  }
}

export const overlaps = (
  { level, fromMs, toMs }: { level: RolledLevel; fromMs: number; toMs: number },
  asked: { level: RolledLevel; fromMs: number; toMs: number },
): boolean => level === asked.level && fromMs < asked.toMs && toMs > asked.fromMs;

export function* cellsOf(columns: CellColumns): Generator<TimedCell, void, undefined> {
  for (let row = 0; row < columns.length; row++) yield columns.cell(row);
}
