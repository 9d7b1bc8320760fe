// SPDX-License-Identifier: Apache-2.0
// The suites that may notice a mutant of the folder at hand: VIEWMILL_MUTATION_TESTS, set by scripts/mutation.mjs.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import base from "../../vitest.config.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const include = JSON.parse(process.env.VIEWMILL_MUTATION_TESTS ?? "[]");

/**
 * Left out: each takes seconds, and so would every mutant that no other test finds first. They hold bounds and volumes.
 */
const SLOW = [
  "a bundle whose open blocks grow too large",
  "a block is split before 1 MB",
  "a pane of 1,000,000 ids",
  "a batch of 70,000 event types",
  "names that collide with a known seed",
  "with any byte set to anything",
  "a flip of any bit is refused",
  "an object of several blocks holds",
  "a cut of an object of several blocks",
  "any flip in an object of another schema",
];

const withoutSlow = {
  name: "without-slow-tests",
  transform: (code) =>
    SLOW.reduce((text, name) => text.replaceAll(new RegExp(`\\b(test|it)\\("${name}`, "g"), `$1.skip("${name}`), code),
};

export default {
  ...base,
  root,
  plugins: [withoutSlow],
  test: {
    ...base.test,
    include,
    silent: true,
    testTimeout: 300_000,
    setupFiles: [join(root, "scripts/mutation/few-runs.mjs")],
  },
};
