// SPDX-License-Identifier: Apache-2.0
/** Comments and pages use the field's words (docs/glossary.md): each of these has a better one. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { comments, FOLDERS_OF_SOURCES } from "./comments";

const ROOT = join(__dirname, "..", "..", "..", "..");

const WORDS: readonly [word: RegExp, better: string][] = [
  [/\b(?:post|ante)?dated\b/i, "timestamped"],
  [/\bmend(?:s|ed|ing)?\b/i, "fix, or remedy"],
  [/\bwhat came\b/i, "the received events"],
  [/\bthat is none\b/i, "invalid"],
  [/\bwhat kind of no\b/i, "why it was refused"],
];

/** One line for each such word, with the better one. */
function poorWords(path: string, texts: readonly { line: number; text: string }[]): string[] {
  return texts.flatMap(({ line, text }) =>
    WORDS.flatMap(([word, better]) => {
      const found = word.exec(text);
      return found === null ? [] : [`${path}:${line}: "${found[0]}": ${better}`];
    }),
  );
}

const isSource = (file: string) => /\.(?:ts|tsx|mjs|js)$/.test(file) && !/(?:^|\/)(?:dist|node_modules)\//.test(file);

test("comments use the field's words", () => {
  const files = FOLDERS_OF_SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter(isSource)
      .map((file) => `${folder}/${file}`),
  );
  expect(files.length).toBeGreaterThan(900);
  expect(files.flatMap((path) => poorWords(path, comments(readFileSync(join(ROOT, path), "utf8"))))).toEqual([]);
});

test("pages do, too", () => {
  const pages = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".md"),
  );
  const lines = (path: string) =>
    readFileSync(join(ROOT, "docs", path), "utf8")
      .split("\n")
      .map((text, at) => ({ line: at + 1, text }));
  expect(pages.length).toBeGreaterThan(30);
  expect(pages.flatMap((path) => poorWords(`docs/${path}`, lines(path)))).toEqual([]);
});

test.each([
  ["// An event may be dated ahead.", "timestamped"],
  ["/** The command that mends it. */", "remedy"],
  ["/**\n * A cell that is none.\n */", "invalid"],
])("%s", (source, better) => {
  expect(poorWords("io/x.ts", comments(source))).toEqual([expect.stringContaining(better)]);
  expect(poorWords("io/x.ts", comments("// updated, as recommended"))).toEqual([]);
});
