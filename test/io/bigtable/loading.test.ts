// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { BARE_ENVIRONMENT } from "../../bare-environment";

const STORE = join(__dirname, "..", "..", "..", "io", "bigtable", "counter-store");
const PRINT = `require(${JSON.stringify(STORE)}); process.stdout.write(Object.keys(require.cache).join("\\n"));`;

it("the store is loaded without the exporters of metrics that the root of Google's client brings", () => {
  const loaded = execFileSync(process.execPath, ["-e", PRINT], { encoding: "utf8", env: BARE_ENVIRONMENT }).split("\n");
  expect(loaded.filter((file) => file.includes("@google-cloud/bigtable-api/"))).not.toEqual([]);
  expect(loaded.filter((file) => /node_modules\/(?:googleapis|@opentelemetry\/sdk-metrics)\//.test(file))).toEqual([]);
});
