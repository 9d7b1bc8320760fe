// SPDX-License-Identifier: Apache-2.0
/**
 * The programs of an earlier commit, which scripts/earlier-build.mjs packed: what is upgraded to this build, one
 * instance after the other. Its packages are those of this build.
 */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { ServerProcess } from "../../servers";

const ROOT = join(__dirname, "..", "..", "..");
const PACKS = join(ROOT, "test", "two-of-everything");

/** A build's command line, and the configuration of a deployment as that build understands it. */
export interface Build {
  main: string;
  configFile: string;
}

export const THIS_MAIN = join(ROOT, "dist", "cli", "main.js");

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

/** One instance of a program. `build` is asked at each start, so that a restart may be an upgrade. */
export function instance(
  name: string,
  folder: string,
  build: () => Build,
  args: readonly [command: string, ...options: string[]],
  healthUrl: string,
): ServerProcess {
  const [command, ...options] = args;
  return new ServerProcess({
    name,
    folder,
    command: process.execPath,
    args: async () => [build().main, command, "--config", build().configFile, ...options],
    env: { METADATA_SERVER_DETECTION: "none" },
    answers: async () => (await fetch(healthUrl, { signal: AbortSignal.timeout(2_000) })).ok,
  });
}
