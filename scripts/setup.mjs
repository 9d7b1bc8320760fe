// SPDX-License-Identifier: Apache-2.0
// Makes a fresh clone runnable: installs what the lockfile names, compiles, and does neither when nothing changed.
// Runs under the machine's own Node (>= 20); everything after it runs under the Node pinned in package.json.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stampFile = join(root, "node_modules", ".viewmill-lock");
const lockHash = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");

/** Folders among the sources that the application does not compile: engine/ and client/ are packages too. */
const NOT_SOURCES = new Set(["node_modules", "dist", "example"]);

function run(command, args, label) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
  if (result.status === 0) return;
  process.stderr.write(
    `${result.stdout ?? ""}${result.stderr ?? ""}\n${label} failed (${result.error?.message ?? `exit ${result.status}`})\n`,
  );
  process.exit(1);
}

if (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== lockHash) {
  process.stderr.write("viewmill: installing dependencies (once, about a minute)\n");
  // Not `npm ci`: it refuses the lockfile where a registry does not carry the optional packages of every other
  // platform. `install --no-save` takes the same locked versions and changes neither package.json nor the lockfile.
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], "npm install");
  writeFileSync(stampFile, lockHash);
}
compile();
// Imported here because before the installation above there is no esbuild.
(await import("./build-dashboard.mjs")).buildDashboard(root);
(await import("./docs/site.mjs")).buildDocs(root);
// `npx viewmill` inside the checkout: npm links a package's own command only where it is installed as a dependency.
const command = join(root, "node_modules", ".bin", "viewmill");
writeFileSync(command, '#!/bin/sh\nbin=$(dirname "$0")\nexec "$bin/node" "$bin/../../dist/cli/main.js" "$@"\n', {
  mode: 0o755,
});

/**
 * Compiles where a source, or the compiler's setup, changed since the last time, so that a start of a built checkout
 * runs no compiler.
 */
function compile() {
  const tsc = join(root, "node_modules", ".bin", "tsc");
  const { include } = JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8"));
  const sources = new Map();
  for (const folder of [...include, "dashboard"]) addSources(folder, sources);
  const stamp = JSON.stringify({ lockHash, config: stampOf("tsconfig.json"), sources: [...sources] });
  const listFile = join(root, "dist", ".sources");
  const before = existsSync(listFile) ? readFileSync(listFile, "utf8") : "";
  if (stamp === before) return;
  // An output whose source is gone must not linger: tsc never deletes, so a removed source removes dist.
  if (removedSince(before, sources)) rmSync(join(root, "dist"), { recursive: true, force: true });
  run(tsc, [], "tsc");
  run(tsc, ["-p", "dashboard"], "tsc -p dashboard");
  cpSync(join(root, "io/formats/schemas"), join(root, "dist", "io/formats/schemas"), { recursive: true });
  writeFileSync(listFile, stamp);
}

function addSources(folder, sources) {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !NOT_SOURCES.has(entry.name)) addSources(path, sources);
    else if (entry.isFile() && /\.(tsx?|json|avsc)$/.test(entry.name)) sources.set(path, stampOf(path));
  }
}

/** Returns a stamp of a file: the time of its last change, and its size. */
function stampOf(path) {
  const { mtimeMs, size } = statSync(join(root, path));
  return `${mtimeMs} ${size}`;
}

/** Returns whether a source of the last compilation is gone, or its list is unknown. */
function removedSince(before, sources) {
  try {
    return JSON.parse(before).sources.some(([path]) => !sources.has(path));
  } catch {
    return existsSync(join(root, "dist"));
  }
}
