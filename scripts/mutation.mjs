// SPDX-License-Identifier: Apache-2.0
// npm run mutation [-- FOLDER...]: mutation testing with StrykerJS, a folder at a time, of the folder's own tests.
// docs/mutation.md says how to read it. Stryker is installed apart (scripts/mutation/), because nothing else needs it.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, matchesGlob } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const own = join(root, "scripts", "mutation");
const reports = join(process.env.VIEWMILL_CACHE || join(root, ".cache"), "mutation");

/** Suites that run the transforms as pipelines: what no suite of a single transform reaches. */
const IN_PIPELINES = ["embedded-pass", "audit", "rolled-books"].map((suite) => `pipelines/${suite}.test.ts`);

/**
 * The mutated folders, with the suites that must fail. No suite starts a server, because each of thousands of mutants
 * runs them.
 */
const FOLDERS = {
  domain: { mutate: ["domain/**/*.ts"], tests: ["domain"] },
  intake: { mutate: ["intake/**/*.ts"], tests: ["intake"] },
  transforms: { mutate: ["transforms/**/*.ts"], tests: ["transforms", ...IN_PIPELINES] },
  avro: { mutate: ["io/formats/avro/**/*.ts"], tests: ["io/formats/avro"] },
  admission: { mutate: ["admission/**/*.ts"], tests: ["admission"] },
  "ingest-api": { mutate: ["ingest-api/**/*.ts"], tests: ["ingest-api"] },
  client: { mutate: ["client/**/*.ts"], tests: ["client"] },
};

/** Suites of these folders that start a browser, a service or commands. */
const WITH_PROCESSES = /\/(page-client|durability|send-commands)\.test\.ts$/u;

/**
 * Tests that are left out, because each takes seconds for every mutant that no other test finds first. They test bounds
 * and volumes, or start processes, or need more runs of a property than there are here.
 */
const SLOW = [
  "gets one verdict on every road",
  "a bundle whose open blocks grow too large",
  "a block is split before 1 MB",
  "a pane of 1,000,000 ids",
  "wait in a buffer of 50,000 events",
  "a batch of 70,000 event types",
  "cut anywhere",
  "names that collide with a known seed",
  "with any byte set to anything",
  "a flip of any bit is refused",
  "an object of several blocks holds",
  "a cut of an object of several blocks",
  "any flip in an object of another schema",
  "20,000 malformed bodies",
  "bomb is a 413",
];

/** The files to mutate, by folder: all of a folder, or the named ones. */
const asked = new Map();
for (const word of process.argv.slice(2).filter((each) => !each.startsWith("--"))) {
  const files = globSync(word.endsWith(".ts") ? word : "-", { cwd: root });
  const folders = Object.keys(FOLDERS).filter(
    (name) => name === word || (files.length > 0 && FOLDERS[name].mutate.some((glob) => matchesGlob(files[0], glob))),
  );
  for (const name of folders)
    asked.set(name, [...(asked.get(name) ?? []), ...(name === word ? FOLDERS[name].mutate : files)]);
  if (folders.length > 0) continue;
  process.stderr.write(`no such folder: ${word}; there are ${Object.keys(FOLDERS).join(", ")}, and files in them\n`);
  process.exit(2);
}
if (asked.size === 0) for (const [name, { mutate }] of Object.entries(FOLDERS)) asked.set(name, mutate);

function run(command, args, options) {
  const { status } = spawnSync(command, args, { stdio: "inherit", ...options });
  return status ?? 1;
}

if (!existsSync(join(own, "node_modules", "@stryker-mutator", "core"))) {
  const args = ["install", "--no-save", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"];
  if (run("npm", [...args, "--loglevel=error"], { cwd: own }) !== 0) process.exit(1);
}
mkdirSync(reports, { recursive: true });
// The tests' stores wait for the disk at every commit, which takes longer than all the rest of a mutant.
const scratch = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "viewmill-mutation-"));

const NOT_COPIED = [
  ...["/data", "/.cache", "/scripts/mutation/node_modules", "/dist", "/docs", "/terraform", "/docker"],
  ...["/dashboard", "/deploy", "/demo", "/bench", "/monitoring", "/servers", "/.github"],
];

/** Modules that no import names: threads and the SDK's register load them by their path. */
const BY_PATH = ["engine/**/*.ts", "io/sqlite/*.ts"];

/** The sources that the suites load. Stryker copies and compiles these alone, which is most of a short run. */
function sourcesOf(suites, mutate) {
  const { buildSync } = createRequire(join(root, "package.json"))("esbuild");
  const { metafile } = buildSync({
    entryPoints: [...suites, ...globSync([...BY_PATH, ...mutate], { cwd: root })],
    absWorkingDir: root,
    bundle: true,
    packages: "external",
    platform: "node",
    write: false,
    metafile: true,
    outdir: "dist",
    logLevel: "error",
  });
  return Object.keys(metafile.inputs);
}

let failed = false;
for (const [name, mutate] of asked) {
  const { tests } = FOLDERS[name];
  const suites = globSync(
    tests.map((test) => `test/${test.endsWith(".ts") ? test : `${test}/**/*.test.ts`}`),
    { cwd: root },
  )
    .filter((suite) => !WITH_PROCESSES.test(suite))
    .sort();
  const linesFile = join(reports, `${name}.ndjson`);
  rmSync(linesFile, { force: true });
  const config = {
    mutate,
    packageManager: "npm",
    testRunner: "in-process",
    plugins: [join(own, "in-process-runner.mjs")],
    inProcess: {
      tests: suites.map((suite) => `dist/${suite.replace(/ts$/, "js")}`),
      leaveOut: SLOW,
      linesFile,
      costsFile: join(reports, `${name}.tests.json`),
      endlessFolder: join(reports, `${name}.endless`),
    },
    // The build links them: it comes first, and would install packages where there are none.
    symlinkNodeModules: false,
    buildCommand: [process.execPath, "scripts/mutation/build.mjs", join(root, "node_modules")].join(" "),
    disableTypeChecks: true,
    // The preprocessor asks for a programming interface that TypeScript 7 does not have; our paths need no rewriting.
    tsconfigFile: "no-tsconfig-for-stryker.json",
    checkers: [],
    warnings: { unknownOptions: false },
    concurrency: Number(process.env.STRYKER_CONCURRENCY ?? 1),
    // Each mutant leaves a lot of garbage behind, and nearly all of it is young.
    testRunnerNodeArgs: ["--max-semi-space-size=128"],
    coverageAnalysis: "perTest",
    ignoreStatic: process.argv.includes("--without-static"),
    dryRunTimeoutMinutes: 60,
    incremental: true,
    incrementalFile: join(reports, `${name}.incremental.json`),
    ignorePatterns: [...NOT_COPIED, "**/*.ts", ...sourcesOf(suites, mutate).map((file) => `!/${file}`)],
    tempDirName: join(reports, "sandbox"),
    reporters: ["clear-text", "json", "lines", "progress-append-only"],
    clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
    jsonReporter: { fileName: join(reports, `${name}.json`) },
    thresholds: { high: 90, low: 80, break: 80 },
    // By the clock, so the last resort: the watch ends what does not end, by what it does.
    timeoutMS: 900_000,
    timeoutFactor: 2,
    allowEmpty: false,
  };
  const file = join(reports, `${name}.config.json`);
  writeFileSync(file, JSON.stringify(config, null, 2));
  const status = run(
    process.execPath,
    [join(own, "node_modules", "@stryker-mutator", "core", "bin", "stryker.js"), "run", file],
    { cwd: root, env: { ...process.env, TMPDIR: scratch } },
  );
  if (status !== 0) failed = true;
}
rmSync(scratch, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
