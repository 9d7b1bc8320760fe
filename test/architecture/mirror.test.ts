// SPDX-License-Identifier: Apache-2.0
/** Tests mirror the source tree (test-rules.ts). */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOMS } from "./room-rules";
import { mirrorProblems, WHOLES } from "./test-rules";

const ROOT = join(__dirname, "..", "..", "..");
const OTHERS = ["dashboard", "deploy", "docs", "load", "monitoring", "scripts", "terraform"];

const below = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => !/(?:^|\/)(?:dist|node_modules)(?:\/|$)/.test(file))
    .map((file) => `${folder}/${file}`);
const folders = new Set([
  ...ROOMS,
  ...OTHERS,
  ...ROOMS.flatMap(below).filter((path) => !path.endsWith(".ts") && statSync(join(ROOT, path)).isDirectory()),
]);
const tests = below("test")
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

test("every test lies in the folder of test/ that is named after the folder it tests", () => {
  expect(tests.length).toBeGreaterThan(350);
  expect(mirrorProblems(tests, { rooms: ROOMS, folders })).toEqual([]);
});

test("every folder without a folder of the source has tests, and is none of the source's", () => {
  for (const whole of Object.keys(WHOLES)) {
    expect([whole, folders.has(whole)]).toEqual([whole, false]);
    expect([whole, tests.some(({ path }) => path.startsWith(`test/${whole}/`))]).toEqual([whole, true]);
  }
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
  ["of a whole", [{ path: "test/golden/x.test.ts", text: "" }], []],
])("a test %s", (_what, given, problems) => {
  const known = new Set(["domain", "io", "io/sqlite", "cli"]);
  expect(mirrorProblems(given, { rooms: ["domain", "io", "cli"], folders: known })).toEqual(problems);
});
