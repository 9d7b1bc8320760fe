// SPDX-License-Identifier: Apache-2.0
/** Invariants, defects of the SDK, pages and decisions that a comment or a page cites exist in the repository. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { comments, FOLDERS_OF_SOURCES } from "./comments";

const ROOT = join(__dirname, "..", "..", "..", "..");
const FOLDERS = [...FOLDERS_OF_SOURCES, "docs", ".github"];
const PAGE = /(?<![\w./-])(?:\.\.\/)*(docs\/(?:[a-z0-9-]+\/)*[a-z0-9-]+\.md)\b/g;

interface Source {
  path: string;
  text: string;
}

const filesOf = (folder: string): Source[] =>
  existsSync(join(ROOT, folder))
    ? readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
        .filter(
          (file) => /\.(?:ts|tsx|mjs|js|md)$/.test(file) && !/(?:^|\/)(?:dist|node_modules|fixtures)\//.test(file),
        )
        .map((file) => ({ path: `${folder}/${file}`, text: readFileSync(join(ROOT, folder, file), "utf8") }))
    : [];
const sources = [
  ...FOLDERS.flatMap(filesOf),
  ...readdirSync(ROOT)
    .filter((file) => file.endsWith(".md"))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") })),
];

const invariants = new Set(
  [...readFileSync(join(ROOT, "docs/invariants.md"), "utf8").matchAll(/^\| \*\*(I\d)\*\* \|/gm)].map(
    ([, name]) => name,
  ),
);
const defects = new Set(
  [...readFileSync(join(ROOT, "engine/README.md"), "utf8").matchAll(/^\| (\d+) \|/gm)].map(([, number]) => number),
);

/** Everything that is cited and does not exist, or that no reader of the comment could find. */
function missingCitations(files: readonly Source[]): string[] {
  return files.flatMap(({ path, text }) => {
    const isPage = path.endsWith(".md");
    const found: string[] = [];
    for (const { line, text: comment } of isPage ? [{ line: 1, text }] : comments(text)) {
      const say = (what: string) => found.push(`${path}:${line}: ${what}`);
      for (const [name] of comment.matchAll(/\bI\d\b(?!")/g)) {
        if (!invariants.has(name)) say(`${name} is no invariant of docs/invariants.md`);
        else if (!isPage && !comment.includes("docs/invariants.md")) say(`${name} without docs/invariants.md`);
      }
      for (const [, number] of comment.matchAll(/\b[Dd]efect (\d+)\b/g))
        if (!defects.has(number)) say(`engine/README.md has no defect ${number}`);
      for (const [, page] of comment.matchAll(PAGE)) if (!existsSync(join(ROOT, page!))) say(`${page} does not exist`);
    }
    return found;
  });
}

test("every invariant, defect and page that a comment or a page cites exists", () => {
  expect([invariants.size, defects.size >= 20, sources.length > 900]).toEqual([7, true, true]);
  expect(missingCitations(sources)).toEqual([]);
});

test("every file that ARCHITECTURE.md names exists, by its path or beside the one named before it", () => {
  const names = [...readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8").matchAll(/`([\w./{},-]+\.ts)`/g)].map(
    ([, name]) => name!,
  );
  expect(names.length).toBeGreaterThan(40);
  const known = sources.map(({ path }) => path);
  expect(names.filter((name) => !known.some((path) => path === name || path.endsWith(`/${name}`)))).toEqual([]);
});

test.each([
  ["an unknown invariant", "// docs/invariants.md: I9 holds", "I9 is no invariant"],
  ["an invariant without its page", "/** Keeps I3. */", "I3 without docs/invariants.md"],
  ["an unknown defect", "/**\n * Defect 99.\n */", "no defect 99"],
  ["a page that does not exist", "// See docs/nowhere.md.", "docs/nowhere.md does not exist"],
  ["a page behind dots", "/** [rules](../../docs/bench/nowhere.md) */", "docs/bench/nowhere.md does not exist"],
])("%s is named", (_what, text, problem) => {
  expect(missingCitations([{ path: "io/x.ts", text }])).toEqual([expect.stringContaining(problem)]);
});

test("every fix of the engine names its defect", () => {
  const fixes = filesOf("engine").filter(({ path, text }) => /^engine\/fixes\//.test(path) && /Fix: /.test(text));
  expect(fixes.length).toBeGreaterThan(12);
  expect(fixes.filter(({ text }) => !/\bDefect \d+/.test(text)).map(({ path }) => path)).toEqual([]);
});
