// SPDX-License-Identifier: Apache-2.0
/**
 * Every input that once caused a fault stays as a file, `corpus/TARGET/NAME.bin`, and every run tries these files
 * first.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Beside the sources: the compiled output is made anew. */
export const CORPUS = join(__dirname, "..", "..", "..", "..", "test", "system", "fuzz", "corpus");

export function corpusOf(target: string, corpus = CORPUS): { name: string; bytes: Buffer }[] {
  const folder = join(corpus, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".bin"))
    .sort()
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

/** Answers the file's name. */
export function keep(target: string, bytes: Uint8Array, corpus = CORPUS): string {
  const folder = join(corpus, target);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}.bin`);
  writeFileSync(file, bytes);
  return file;
}

/** The shortest of what a few thousand cuts of the input leave that still fails. */
export function shrunk(bytes: Buffer, fails: (bytes: Buffer) => boolean): Buffer {
  let best = bytes;
  for (let size = best.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= best.length; ) {
      const less = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (fails(less)) best = less;
      else at += size;
    }
  }
  return best;
}
