// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import * as path from "node:path";
import { promisify } from "node:util";
import type { FixName } from "../../engine/fixes";
import { scenarios } from "./scenarios";
import "../../engine";

/**
 * The observation of the scenario in a process without the fix; empty when that process ended by itself without output.
 */
async function withoutFix(fix: FixName): Promise<unknown> {
  const script = path.join(__dirname, "without-fix.js");
  const { stdout } = await promisify(execFile)(process.execPath, [script, fix], { timeout: 20_000 }).catch(
    (failed: { stdout: string; stderr: string }) => ({
      stdout: failed.stdout || JSON.stringify({ died: failed.stderr }),
    }),
  );
  return stdout === "" ? "ended without a word" : JSON.parse(stdout);
}

/** The fix, what holds with it, what the scenario sees then, and what it sees in a process without it. */
const proofs: [FixName, string, unknown, unknown][] = [
  [
    "node-24",
    "apache-beam loads on the Node we pin",
    true,
    { died: expect.stringContaining("isPrimitive) is not a function") },
  ],
  [
    "late-pubsub",
    "Google's Pub/Sub client is loaded when it is asked for",
    { loadedBefore: false, coded: "0a0178" },
    { loadedBefore: true, coded: "0a0178" },
  ],
  [
    "silent-loss",
    "data that is still being processed when the last message arrives is not lost",
    { error: "", outputs: [0, 1, 2, 3, 4, 5] },
    { error: "", outputs: [0, 1] },
  ],
  [
    "silent-duplicates",
    "1,010 elements of 1 kB emitted at once are 1,010 on the wire",
    { elements: 1010 },
    { elements: 36704 },
  ],
  [
    "message-size",
    "an element of 6 MB passes",
    { outcome: "done", lengths: [6_000_000] },
    { outcome: expect.stringContaining("larger than max"), lengths: [] },
  ],
  [
    "numbers",
    "numbers arrive as they were sent: above int32, in arrays, floats, NaN",
    ["1700000000000", "-5", [17e11, 2 ** 40, -(2 ** 40)], { at: 17e11 }, "0.5", String(2 ** 60), "NaN", "Infinity"],
    ["-807049216", "-5", [-807049216, 0, 0], { at: 17e11 }, "0.5", "0", "0", "0"],
  ],
  [
    "values",
    "bytes that are a whole value or an array item arrive as bytes",
    ['{"bytes":[1,255]}', '[{"bytes":[2]}]'],
    ['{"0":1,"1":255}', '[{"0":2}]'],
  ],
  ["consumer-leak", "a finished bundle is forgotten", { bundlesRemembered: 0 }, { bundlesRemembered: 20 }],
  ["quiet-worker", "an instruction prints nothing", { printed: false }, { printed: true }],
  ["quiet-bundles", "a bundle prints nothing", { printed: false }, { printed: true }],
  ["late-requests", "split and progress requests after the bundle are answered, empty", { failed: 0 }, { failed: 2 }],
  [
    "monitoring-infos",
    "short ids of metrics are explained",
    { failed: false, allNamed: true },
    { failed: true, allNamed: false },
  ],
  ["worker-wait", "wait() returns when the control channel ends", "wait returned", "channel ended, wait did not"],
  ["worker-id", "the descriptor is asked for under the worker's id", ["worker-1"], [""]],
  ["awaited-impulse", "what is asynchronous below a source is finished when the run is", { done: 20 }, { done: 1 }],
  ["plain-pardo", "an error of a DoFn names its stage", 'stage "picky": cannot take 1', "cannot take 1"],
  ["run-options", "options given to run reach the runner", { jobName: "x" }, null],
  [
    "offer-artifacts",
    "offering artifacts ends when the service wants none",
    "offered",
    "the call ended, the offer did not",
  ],
];

test.each(proofs)("%s: %s", async (fix, _sentence, right) => {
  expect(await scenarios[fix]?.()).toEqual(right);
});

test.each(proofs)("%s: left out, it is not so that %s", async (fix, _sentence, right, stock) => {
  const saw = await withoutFix(fix);
  expect(saw).toEqual(stock);
  expect(saw).not.toEqual(right);
});
