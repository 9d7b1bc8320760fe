// What `npm test` runs after the build: lint and format, then every suite. Ends with one line of counts.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { memoryFolder } from "./memory-folder.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const node = process.execPath;

const lint = spawnSync(join(root, "node_modules", ".bin", "biome"), ["check", "--error-on-warnings", "."], {
  cwd: root,
  stdio: "inherit",
});
if (lint.status !== 0) process.exit(1);

// Whole clusters of Java processes: when nothing else runs, or they starve everything beside them. They wait more than they work, so two at a time.
const CLUSTERS = [
  "dist/test/bench/native-flink.test.js",
  "dist/test/cluster/*.test.js",
  "dist/test/engine/flink/*.test.js",
  "dist/test/golden/flink.test.js",
  "dist/test/images/flink.test.js",
  "dist/test/servers/flink.test.js",
];

// Where a machine is shared, it matters less how long it takes than that a test with a deadline gets its share.
const TOGETHER = process.env.CI === "true" ? 2 : 3;

// Suites start some hundred processes of Node, each with the same modules to compile.
process.env.NODE_COMPILE_CACHE ??= join(root, ".cache", "node-compiled");

// Logs, databases and checkpoints of seconds need no disk.
const inMemory = process.env.TMPDIR === undefined ? memoryFolder("viewmill-test-") : undefined;
const folder = inMemory ?? mkdtempSync(join(tmpdir(), "viewmill-test-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
if (inMemory !== undefined) process.env.TMPDIR = inMemory;

/** One run of vitest: its results, and whether all was well. */
function vitest(name, ...args) {
  const report = join(folder, `${name}.json`);
  const program = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${report}`];
  const ended = spawnSync(node, [program, "run", ...reporters, ...args], { cwd: root, stdio: "inherit" });
  try {
    return { ...JSON.parse(readFileSync(report, "utf8")), ok: ended.status === 0 };
  } catch {
    process.stderr.write("the test runner ended without a report\n");
    process.exit(ended.status || 1);
  }
}

const asked = process.argv.slice(2);
const runs =
  asked.length > 0
    ? [vitest("asked", ...asked)]
    : [
        // So many processes for all of these files: docs/decisions/0011-test-runs.md.
        vitest(
          "together",
          "--no-isolate",
          `--maxWorkers=${TOGETHER}`,
          ...CLUSTERS.flatMap((pattern) => ["--exclude", pattern]),
        ),
        vitest("clusters", ...CLUSTERS.map((pattern) => pattern.replace("*.test.js", ""))),
      ];
const results = runs.flatMap(({ testResults }) => testResults);
// Once more at the end, where a reader of a long log looks: what failed and why, a few lines each.
for (const file of results) {
  const failures = file.assertionResults.filter(({ status }) => status === "failed");
  const reasons = failures.map((test) => [test.fullName, test.failureMessages.join("\n")]);
  if (failures.length === 0 && file.status === "failed") reasons.push(["the file itself", file.message]);
  for (const [name, reason] of reasons)
    process.stdout.write(`failed: ${relative(root, file.name)}: ${name}\n${reason.slice(0, 2000)}\n\n`);
}
const passed = runs.reduce((sum, { numPassedTests }) => sum + numPassedTests, 0);
const failed = runs.reduce((sum, { numFailedTests }) => sum + numFailedTests, 0);
const skipped = results
  .flatMap((file) => file.assertionResults)
  .filter((test) => test.status === "pending" || test.status === "todo");
for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}\n`);
if (process.env.CI === "true" && skipped.length > 0) {
  process.stderr.write("with CI=true nothing may be skipped\n");
  process.exit(1);
}
const skips = skipped.length > 0 ? `, ${skipped.length} skipped` : "";
process.stdout.write(`${passed} passed, ${failed} failed${skips}\n`);
process.exit(runs.every(({ ok, numPassedTests }) => ok && numPassedTests > 0) ? 0 : 1);
