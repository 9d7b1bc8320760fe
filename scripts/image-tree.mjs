// SPDX-License-Identifier: Apache-2.0
// The steps of docker/Dockerfile, so that a build and the test that stands for one do the same. Each runs in the
// image's application folder.
//   install      what runs and what compiles it, as the lockfile has it
//   production   removes what does not run
//   check-bases  RELEASE=true: BUILD_BASE and RUNTIME_BASE must be named by digest
//   compile      dist/, of what is shipped
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The packages that compile the programs, and that build the dashboard and the documentation. */
const BUILD_TOOLS = new Set(["typescript", "esbuild", "preact", "uplot", "markdown-it", "minisearch"]);

const QUIET = ["--no-audit", "--no-fund", "--loglevel=error"];
/** Sources, type declarations and source maps are of no use to a running program, and are half of node_modules. */
const NOT_RUN = /\.(?:map|ts|cts|mts|tsbuildinfo|flow|markdown|md)$/i;
const LEGAL = /^(?:licen[cs]e|notice|copying|copyright|authors|third.?party)/i;

const readJson = (file) => JSON.parse(readFileSync(file, "utf8"));
const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);

function run(command, args) {
  const ended = spawnSync(command, args, { stdio: "inherit" });
  if (ended.status === 0) return;
  process.stderr.write(`${command} ${args.join(" ")} failed: ${ended.error?.message ?? `exit ${ended.status}`}\n`);
  process.exit(1);
}

/** package.json and the lockfile of a part of the project: alike, so that npm still holds one against the other. */
function writePart(isKept) {
  const [manifest, lock] = [readJson("package.json"), readJson("package-lock.json")];
  const kept = Object.entries(manifest.devDependencies ?? {}).filter(([name]) => isKept(name));
  const devDependencies = kept.length === 0 ? undefined : Object.fromEntries(kept);
  // No script runs here and nothing is published. The image holds one package: the root's dependencies include those of
  // engine/ and client/.
  writeJson("package.json", { ...manifest, scripts: undefined, workspaces: undefined, devDependencies });
  lock.packages[""] = { ...lock.packages[""], workspaces: undefined, devDependencies };
  for (const name of manifest.workspaces ?? []) {
    delete lock.packages[name];
    delete lock.packages[`node_modules/@viewmill/${name}`];
  }
  if (kept.length === 0) {
    lock.packages = Object.fromEntries(Object.entries(lock.packages).filter(([, { dev }]) => dev !== true));
  }
  writeJson("package-lock.json", lock);
}

/**
 * `npm ci`: every archive as the lockfile's hash says. Of the whole lockfile npm ci refuses: tools of development
 * (Biome, DuckDB) have packages for platforms that it does not name. No install script is needed: nothing is native,
 * and Node is the base image's.
 */
function install() {
  writePart((name) => BUILD_TOOLS.has(name) || name.startsWith("@types/"));
  run("npm", ["ci", "--ignore-scripts", ...QUIET]);
}

function production() {
  writePart(() => false);
  run("npm", ["prune", "--ignore-scripts", ...QUIET]);
  rmSync(join("node_modules", ".bin"), { recursive: true });
  prune("node_modules");
}

/** Removes what no program loads; every licence stays. */
function prune(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      prune(path);
      if (readdirSync(path).length === 0) rmdirSync(path);
    } else if (NOT_RUN.test(entry.name) && !LEGAL.test(entry.name)) rmSync(path);
  }
}

async function compile() {
  run(join("node_modules", ".bin", "tsc"), ["--project", "docker/tsconfig.json"]);
  cpSync(join("io", "formats", "schemas"), join("dist", "io", "formats", "schemas"), { recursive: true });
  // Not at the top: the steps before have no esbuild.
  (await import("./build-dashboard.mjs")).buildDashboard(process.cwd());
  (await import("./docs/site.mjs")).buildDocs(process.cwd());
  // The service's data folder, which an image without a shell cannot create.
  mkdirSync("data");
}

function checkBases() {
  const { RELEASE, BUILD_BASE, RUNTIME_BASE } = process.env;
  if (RELEASE !== "true") return;
  const loose = [BUILD_BASE, RUNTIME_BASE].filter((image) => !/@sha256:[0-9a-f]{64}$/.test(image ?? ""));
  if (loose.length === 0) return;
  process.stderr.write(`a release is built on images named by digest (NAME@sha256:...), not ${loose.join(" and ")}\n`);
  process.exit(1);
}

const STEPS = { install, production, "check-bases": checkBases, compile };
const step = STEPS[process.argv[2]];
if (step === undefined) {
  process.stderr.write(`image-tree.mjs ${Object.keys(STEPS).join(" | ")}\n`);
  process.exit(2);
}
await step();
