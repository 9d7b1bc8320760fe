// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { join } from "node:path";

const MODULE = join(__dirname, "..", "..", "cli", "collect-garbage.js");

/** Prints the size of the young generation, in MiB, after many objects were made, and after the collection. */
const program = `
  const { getHeapSpaceStatistics } = require("node:v8");
  const { collectGarbage } = require(${JSON.stringify(MODULE)});
  const youngGeneration = () =>
    getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space").space_size / 2 ** 20;
  const survivors = [];
  for (let n = 0; n < 400_000; n++) survivors.push({ n });
  const before = youngGeneration();
  collectGarbage();
  process.stdout.write(JSON.stringify({ before, after: youngGeneration(), hidden: typeof gc, kept: survivors.length }));
`;

test("the young generation is small after the collection, and what lives stays", () => {
  const { before, ...rest } = JSON.parse(execFileSync(process.execPath, ["-e", program], { encoding: "utf8" }));
  expect(before).toBeGreaterThan(8);
  expect(rest).toEqual({ after: expect.any(Number), hidden: "undefined", kept: 400_000 });
  expect(rest.after).toBeLessThan(4);
});
