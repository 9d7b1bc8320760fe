// SPDX-License-Identifier: Apache-2.0
// What runs of vitest come to. Its report counts failed tests alone: a file whose import or clean-up failed, a process
// that died and an error that nobody handled are in it as nothing, or as passed. scripts/test.mjs prints the result.
import { relative } from "node:path";

/**
 * `runs`: {name, report, exitCode, signal}, report undefined where vitest wrote none.
 * Answers {passed, failures: [{where, reason}], skipped: [name]}.
 */
export function resultsOf(runs, root) {
  const results = { passed: 0, failures: [], skipped: [] };
  for (const { name, report, exitCode, signal } of runs) {
    const before = results.failures.length;
    const fail = (where, reason) => results.failures.push({ where, reason });
    const ended = signal ? `was ended by ${signal}` : `ended with exit code ${exitCode}`;
    if (report === undefined) {
      fail(`the run "${name}"`, `the test runner ${ended} and left no report`);
      continue;
    }
    for (const file of report.testResults) fileResults(file, relative(root, file.name), results);
    if (report.testResults.length === 0) fail(`the run "${name}"`, "no test file ran");
    if (exitCode !== 0 && results.failures.length === before)
      fail(
        `the run "${name}"`,
        `the test runner ${ended} and no test failed: an error that nobody handled, or a process that died; what it said is above`,
      );
  }
  return results;
}

function fileResults(file, path, results) {
  const { failures, skipped } = results;
  const of = (...statuses) => file.assertionResults.filter(({ status }) => statuses.includes(status));
  results.passed += of("passed").length;
  for (const test of of("failed"))
    failures.push({ where: `${path}: ${test.fullName}`, reason: test.failureMessages.join("\n") });
  for (const test of of("pending"))
    failures.push({ where: `${path}: ${test.fullName}`, reason: "it did not end: its process died" });
  const failed = of("failed", "pending").length > 0;
  if (file.status === "failed" && !failed)
    failures.push({ where: `${path}: the file itself`, reason: file.message || "no reason was given" });
  else if (file.assertionResults.length === 0 && !failed)
    failures.push({ where: `${path}: the file itself`, reason: "it has no test" });
  if (file.status !== "failed") for (const test of of("skipped", "todo", "disabled")) skipped.push(test.fullName);
}
