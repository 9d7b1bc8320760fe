// SPDX-License-Identifier: Apache-2.0
/** The findings of fuzzing again, and a short round with a fixed seed; `npm run fuzz` runs for any time. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { corpusOf, keep, shrunk } from "./corpus";
import { Random } from "./random";
import { targets } from "./targets";

const SEED = 20_261_129;
const INPUTS = 400;

describe.each(targets.map((target) => [target.name, target] as const))("%s", (name, target) => {
  test.each([["what was found", ...corpusOf(name)]])("holds for %s", (_what, ...found) => {
    for (const input of found) target.check((input as { bytes: Buffer }).bytes);
  });

  test(`good input is taken and ${INPUTS} changes of it break nothing (seed ${SEED})`, () => {
    const random = new Random(SEED);
    for (let n = 0; n < INPUTS; n++) {
      const good = Buffer.from(target.input(random));
      const bytes = n % 10 === 0 ? good : random.mutate(good);
      try {
        target.check(bytes);
      } catch (error) {
        throw new Error(`${name} of ${bytes.toString("base64")}`, { cause: error });
      }
    }
  }, 60_000);
});

test("a finding is kept as short as it still fails, and read again", () => {
  const corpus = mkdtempSync(join(tmpdir(), "viewmill-corpus-"));
  try {
    const fails = (bytes: Buffer) => bytes.includes("a") && bytes.includes("b");
    const least = shrunk(Buffer.from("xxaxxxxbxx"), fails);
    expect(least.toString()).toBe("ab");
    keep("one", least, corpus);
    expect(corpusOf("one", corpus).map(({ bytes }) => bytes.toString())).toEqual(["ab"]);
    expect(corpusOf("other", corpus)).toEqual([]);
  } finally {
    rmSync(corpus, { recursive: true, force: true });
  }
});
