// SPDX-License-Identifier: Apache-2.0
// What `npm test` runs after the build: lint and format, then every suite. Ends with one line of counts.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { testEnvironment } from "./test-environment.mjs";
import { resultsOf } from "./test-results.mjs";

const checkout = join(dirname(fileURLToPath(import.meta.url)), "..");
const node = process.execPath;

const words = process.argv.slice(2);
// The suite of this file itself runs it on folders of its own: --root FOLDER, a vitest configuration in it, and no
// lint.
const rootAt = words.indexOf("--root");
const root = rootAt === -1 ? checkout : resolve(words.splice(rootAt, 2)[1]);

const folder = testEnvironment(checkout);
const copies = root === checkout ? lint() : undefined;

/**
 * Ends this process where lint or format is wrong. Returns the copy detector, which goes on beside the first suites: it
 * keeps one processor busy for longer than all else that is checked before a test runs.
 */
function lint() {
  const program = (name) => join(root, "node_modules", ".bin", name);
  const checked = spawnSync(program("biome"), ["check", "--error-on-warnings", "."], { cwd: root, stdio: "inherit" });
  if (checked.status !== 0) process.exit(1);
  const output = join(folder, "copies.txt");
  const file = openSync(output, "w");
  const detector = spawn(program("jscpd"), ["."], { cwd: root, stdio: ["ignore", file, file] });
  return { output, ended: once(detector, "exit") };
}

/** One run of vitest; no report where it left none that can be read. */
function vitest(name, ...args) {
  const reportFile = join(folder, `${name}.json`);
  const program = join(checkout, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${reportFile}`];
  const ended = spawnSync(node, [program, "run", ...reporters, ...args], { cwd: root, stdio: "inherit" });
  let report;
  try {
    report = JSON.parse(readFileSync(reportFile, "utf8"));
  } catch {}
  return { name, report, exitCode: ended.status, signal: ended.signal };
}

const run = words.length > 0 ? vitest("asked", ...words) : vitest("whole", "--config", "vitest.whole.config.mjs");
const { passed, failures, skipped } = resultsOf([run], root);
if (copies !== undefined) {
  const [status] = await copies.ended;
  if (status !== 0)
    failures.push({ where: "jscpd: code that stands twice", reason: readFileSync(copies.output, "utf8") });
}
// Repeats the failures at the end, where a reader of a long log looks, with a few lines each.
for (const { where, reason } of failures) process.stdout.write(`failed: ${where}\n${reason.slice(0, 2000)}\n\n`);
for (const name of skipped) process.stdout.write(`skipped: ${name}\n`);
const skips = skipped.length > 0 ? `, ${skipped.length} skipped` : "";
process.stdout.write(`${passed} passed, ${failures.length} failed${skips}\n`);
if (process.env.CI === "true" && skipped.length > 0) {
  process.stderr.write("with CI=true nothing may be skipped\n");
  process.exit(1);
}
process.exit(failures.length === 0 && passed > 0 ? 0 : 1);
