// What `npm test` runs after the build: lint and format, then every suite. Ends with one line of counts.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const node = process.execPath;

const lint = spawnSync(join(root, "node_modules", ".bin", "biome"), ["check", "--error-on-warnings", "."], {
  cwd: root,
  stdio: "inherit",
});
if (lint.status !== 0) process.exit(1);

const folder = mkdtempSync(join(tmpdir(), "viewmill-test-"));
const report = join(folder, "report.json");
const vitest = spawnSync(
  node,
  [
    join(root, "node_modules", "vitest", "vitest.mjs"),
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: "inherit" },
);
let result;
try {
  result = JSON.parse(readFileSync(report, "utf8"));
} catch {
  process.stderr.write("the test runner ended without a report\n");
  process.exit(vitest.status || 1);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const skipped = result.testResults
  .flatMap((file) => file.assertionResults)
  .filter((test) => test.status === "pending" || test.status === "todo");
for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}\n`);
if (process.env.CI === "true" && skipped.length > 0) {
  process.stderr.write("with CI=true nothing may be skipped\n");
  process.exit(1);
}
process.stdout.write(
  `${result.numPassedTests} passed, ${result.numFailedTests} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}\n`,
);
process.exit(vitest.status === 0 && result.numPassedTests > 0 ? 0 : 1);
