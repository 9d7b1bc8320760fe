// SPDX-License-Identifier: Apache-2.0
/**
 * The programs of an earlier commit, which scripts/earlier-build.mjs packed: what is upgraded to this build, one
 * instance after the other. Its packages are those of this build.
 */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";

const ROOT = join(__dirname, "..", "..", "..", "..");
const PACKS = join(ROOT, "test", "system", "two-of-everything");

/** Unpacks the earlier build into a new folder; returns its command line. */
export function unpackEarlierBuild(folder: string): string {
  const packs = readdirSync(PACKS).filter((file) => /^build-[0-9a-f]{7}\.br$/.test(file));
  if (packs.length !== 1) throw new Error(`one earlier build is wanted in ${PACKS}, not ${packs.length}`);
  const lines = brotliDecompressSync(readFileSync(join(PACKS, packs[0]!)))
    .toString("utf8")
    .split("\n");
  for (const line of lines) {
    const [path, text] = JSON.parse(line) as [string, string];
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return join(folder, "dist", "cli", "main.js");
}
