// SPDX-License-Identifier: Apache-2.0
/** docs/scale.md shows what the command prints, and nothing that it printed once. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const CLI = join(__dirname, "..", "..", "cli", "main.js");
const text = readFileSync(join(__dirname, "..", "..", "..", "docs", "scale.md"), "utf8");
const shown = [...text.matchAll(/```sh\nviewmill (.*)\n```\n```text\n([\s\S]*?)```/g)].map(
  ([, command, output]) => [command!, output!] as const,
);

test("there are two sizes and a simulation", () => {
  expect(shown).toHaveLength(3);
});

test.each(shown)(
  "viewmill %s prints what is shown",
  async (command, output) => {
    const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...command.split(" ")]);
    expect(stdout.endsWith(output)).toBe(true);
    if (!command.includes("--simulate")) expect(stdout).toBe(output);
  },
  60_000,
);
