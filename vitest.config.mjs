// SPDX-License-Identifier: Apache-2.0
// Tests run the compiled output: docs/decisions/0001-tests-run-the-compiled-output.md. Every run of the tests reads it:
// scripts/test.mjs, scripts/test-quick.mjs, and vitest by hand.
import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";

// Suites of minutes come first, because one process would otherwise wait for them at the end, and those with clusters
// of Java not all at once. The others keep vitest's own order.
const FIRST = [
  "system/cluster/cluster.test.js",
  "system/golden/flink.test.js",
  "dashboard/dashboard.test.js",
  "system/two-of-everything/two-of-everything.test.js",
  "system/end-to-end/million.test.js",
  "system/images/images.test.js",
  "engine/flink.test.js",
  "system/end-to-end/kill.test.js",
  "system/golden/prism.test.js",
  "io/bigtable/tiers.test.js",
  "system/cluster/losses.test.js",
  "io/kafka/faults.test.js",
  "system/golden/random.test.js",
  "system/end-to-end/life.test.js",
  "system/images/flink.test.js",
  "system/golden/kill.test.js",
  "system/end-to-end/faults.test.js",
  "servers/flink.test.js",
  "io/bigtable/many-writers.test.js",
  "bench/native-flink.test.js",
  "io/bigtable/counter-store.test.js",
  "io/pubsub/faults.test.js",
  "system/cluster/mixed.test.js",
  "cli/commands/reading-commands.test.js",
  "docs/commands.test.js",
];

class LongestFirst extends BaseSequencer {
  async sort(files) {
    const rank = ({ moduleId }) => {
      const at = FIRST.findIndex((name) => moduleId.endsWith(`/dist/test/${name}`));
      return at === -1 ? FIRST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ["dist/test/**/*.test.js"],
    exclude: ["node_modules/**"],
    globals: true,
    pool: "forks",
    maxWorkers: 2,
    maxConcurrency: 4,
    // For a machine four times slower than two free processors. A hook starts and stops servers.
    setupFiles: ["dist/test/deadlines-setup.js"],
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 120_000,
    hookTimeout: 300_000,
    teardownTimeout: 60_000,
    silent: "passed-only",
    sequence: { sequencer: LongestFirst },
  },
});
