// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { join } from "node:path";

const MODULE = join(__dirname, "..", "..", "cli", "young-generation.js");

/** Prints the largest young generation, in MiB, while objects survive that are many times as large. */
const program = `
  const { getHeapSpaceStatistics } = require("node:v8");
  const { keepYoungGenerationSmall, letYoungGenerationGrow } = require(${JSON.stringify(MODULE)});
  const survivors = [];
  const largest = () => {
    let bytes = 0;
    for (let n = 0; n < 400_000; n++) {
      survivors.push({ n });
      if (n % 10_000 > 0) continue;
      bytes = Math.max(bytes, getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space").space_size);
    }
    return bytes / 2 ** 20;
  };
  keepYoungGenerationSmall();
  const small = largest();
  letYoungGenerationGrow();
  process.stdout.write(JSON.stringify({ small, grown: largest() }));
`;

test("the young generation stays small until it may grow", () => {
  const { small, grown } = JSON.parse(execFileSync(process.execPath, ["-e", program], { encoding: "utf8" }));
  expect(small).toBeLessThan(4);
  expect(grown).toBeGreaterThan(8);
});
