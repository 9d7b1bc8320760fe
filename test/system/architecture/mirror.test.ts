// SPDX-License-Identifier: Apache-2.0
/** Tests mirror the source tree (test-rules.ts). */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOMS } from "./room-rules";
import { mirrorProblems } from "./test-rules";

const ROOT = join(__dirname, "..", "..", "..", "..");

const below = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => !/(?:^|\/)(?:dist|node_modules)(?:\/|$)/.test(file))
    .map((file) => `${folder}/${file}`);
const foldersIn = (path: string) =>
  readdirSync(join(ROOT, path), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^(?:\.|test$|dist$|node_modules$)/.test(entry.name))
    .map(({ name }) => name);
const folders = new Set([
  ...foldersIn(""),
  ...ROOMS.flatMap(below).filter((path) => !path.endsWith(".ts") && statSync(join(ROOT, path)).isDirectory()),
]);
const tests = below("test")
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

test("every test lies in the folder of test/ that is named after the folder it tests", () => {
  expect(tests.length).toBeGreaterThan(350);
  expect(mirrorProblems(tests, { rooms: ROOMS, folders })).toEqual([]);
});

test("test/README.md says what each folder of test/system/ is for", () => {
  const page = readFileSync(join(ROOT, "test/README.md"), "utf8");
  const described = [...page.matchAll(/^\| `system\/([\w-]+)` \| \w/gm)].map(([, name]) => name!);
  expect(described).toEqual(foldersIn("test/system").sort());
  for (const name of described)
    expect([name, tests.some(({ path }) => path.startsWith(`test/system/${name}/`))]).toEqual([name, true]);
});

test.each<[string, { path: string; text: string }[], string[]]>([
  [
    "in a folder that mirrors none",
    [{ path: "test/kafka/topics.test.ts", text: 'import { topic } from "../../io/kafka/topics";' }],
    ["test/kafka/topics.test.ts: there is no folder kafka that it could test"],
  ],
  [
    "that reaches nothing of its folder",
    [{ path: "test/domain/cell.test.ts", text: 'import { cell } from "../../io/sqlite/cell";' }],
    ["test/domain/cell.test.ts: reaches nothing of domain"],
  ],
  ["of its folder", [{ path: "test/io/sqlite/a.test.ts", text: 'import { a } from "../../../io/sqlite/a";' }], []],
  [
    "that goes through another file of tests",
    [
      { path: "test/domain/a.test.ts", text: 'import { model } from "./model";' },
      { path: "test/domain/model.ts", text: 'import { event } from "../../domain/event";' },
    ],
    [],
  ],
  [
    "that starts the program",
    [{ path: "test/cli/a.test.ts", text: 'const MAIN = join(__dirname, "..", "..", "cli", "main.js");' }],
    [],
  ],
  [
    "of a folder within that is neither of programs nor of data",
    [{ path: "test/domain/flink/a.test.ts", text: 'import { event } from "../../../domain/event";' }],
    ["test/domain/flink/a.test.ts: there is no folder domain/flink that it could test"],
  ],
  ["of the whole", [{ path: "test/system/golden/x.test.ts", text: "" }], []],
])("a test %s", (_what, given, problems) => {
  const known = new Set(["domain", "io", "io/sqlite", "cli"]);
  expect(mirrorProblems(given, { rooms: ["domain", "io", "cli"], folders: known })).toEqual(problems);
});
