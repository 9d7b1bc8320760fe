// SPDX-License-Identifier: Apache-2.0
// The whole of the tests as one queue of files: docs/decisions/0011-test-runs.md. scripts/test.mjs runs it.
import { defineConfig } from "vitest/config";
import alone from "./vitest.config.mjs";

/** Whole clusters of Java processes. */
const CLUSTERS = [
  "dist/test/bench/native-flink.test.js",
  "dist/test/system/cluster/*.test.js",
  "dist/test/engine/flink.test.js",
  "dist/test/system/golden/flink.test.js",
  "dist/test/system/images/flink.test.js",
  "dist/test/servers/flink.test.js",
];

/**
 * Files at a time. Many of them wait: for a minute to end, a lease, a process to start. With fewer, two processors are
 * idle for a part of the time; with more, clusters that wait for a processor take more of it than they need.
 */
const AT_A_TIME = 4;

const { include, exclude, ...shared } = alone.test;

export default defineConfig({
  test: {
    ...shared,
    maxWorkers: AT_A_TIME,
    projects: [
      // One process for many of these files, which load the same modules.
      { extends: true, test: { name: "suites", include, exclude: [...exclude, ...CLUSTERS], isolate: false } },
      { extends: true, test: { name: "clusters", include: CLUSTERS, exclude, isolate: true } },
    ],
  },
});
