// Tests run the compiled output: docs/decisions/0001-tests-run-the-compiled-output.md
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["dist/test/**/*.test.js"],
    exclude: ["node_modules/**"],
    globals: true,
    pool: "forks",
    maxWorkers: 2,
    maxConcurrency: 4,
    testTimeout: 30_000,
    silent: "passed-only",
  },
});
