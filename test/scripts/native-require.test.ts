// SPDX-License-Identifier: Apache-2.0
import * as path from "node:path";

test("what a test imports is required natively, as compiled CommonJS, not transformed by vite", () => {
  const loaded = require("../engine/serialised-doer") as typeof import("../engine/serialised-doer");
  expect(Object.keys(require.cache)).toContain(path.join(__dirname, "..", "engine", "serialised-doer.js"));
  expect(String(loaded.Doer)).toContain("class Doer {");
});
