// SPDX-License-Identifier: Apache-2.0
// The suites that need no servers and no minutes: `npm run test:quick`; with --watch again at every change (`npm run
// test:watch`).
import { spawn } from "node:child_process";
import { join } from "node:path";
import { testEnvironment } from "./test-environment.mjs";

const SUITES = ["domain", "intake", "transforms", "admission", "ingest-api", "query-api", "system/architecture"].map(
  (folder) => `dist/test/${folder}/`,
);
// These start processes or servers, or take tens of seconds by design: `npm test` has them.
const SLOW = [
  "ingest-api/durability",
  "ingest-api/fuzz",
  "ingest-api/send-commands",
  "query-api/shared-answers",
].flatMap((suite) => ["--exclude", `dist/test/${suite}.test.js`]);
const root = join(import.meta.dirname, "..");
testEnvironment(root);
const watching = process.argv.includes("--watch");
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const started = [run(process.execPath, [vitest, watching ? "watch" : "run", "--no-isolate", ...SLOW, ...SUITES])];
// Tests run the compiled output: the compiler watches the sources, vitest what the compiler writes.
if (watching) started.push(run(join(root, "node_modules", ".bin", "tsc"), ["--watch", "--preserveWatchOutput"]));
for (const child of started) {
  child.once("exit", (code) => {
    for (const other of started) other.kill();
    process.exitCode ??= code ?? 1;
  });
}

function run(command, args) {
  return spawn(command, args, { cwd: root, stdio: "inherit" });
}
