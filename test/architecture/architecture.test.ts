/** The arrows of docs/design: who may know whom, computed from the imports of the TypeScript sources. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { problems, type Source } from "./rules";

const ROOT = join(__dirname, "..", "..", "..");
const FOLDERS = [
  "domain",
  "intake",
  "transforms",
  "pipelines",
  "engine",
  "io",
  "admission",
  "ingest-api",
  "query-api",
  "client",
  "cli",
  "bench",
  "servers",
  "demo",
  "plan",
];

const sources: Source[] = FOLDERS.flatMap((folder) => {
  try {
    return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => ({ path: `${folder}/${file}`, text: readFileSync(join(ROOT, folder, file), "utf8") }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
});
const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { dependencies: object };

test("every source keeps to the arrows", () => {
  expect(sources.length).toBeGreaterThan(80);
  expect(problems(sources, Object.keys(dependencies))).toEqual([]);
});

describe("a source that does not keep to them is named", () => {
  const found = (path: string, text: string) => problems([{ path, text }], ["avsc", "apache-beam"]);

  test.each<[string, string, RegExp]>([
    ["domain/x.ts", 'import { open } from "node:fs";', /domain.*node:fs/],
    ["domain/x.ts", 'import { Type } from "avsc";', /domain.*avsc/],
    ["domain/x.ts", 'import type { Archive } from "../io/ports";', /domain may not import io\/ports/],
    ["domain/x.ts", "const now = Date.now();", /clock/],
    ["domain/x.ts", "const now = new Date();", /clock/],
    ["domain/x.ts", "const dice = Math.random();", /randomness/],
    ["domain/x.ts", 'import { randomBytes } from "node:crypto";', /domain.*randomBytes/],
    [
      "transforms/x.ts",
      'import { DirectoryArchive } from "../io/directory/archive";',
      /transforms may not import io\/directory/,
    ],
    ["transforms/x.ts", 'import { runPass } from "../pipelines/embedded/pass";', /transforms may not import pipelines/],
    ["pipelines/embedded/x.ts", 'import { main } from "../../cli/main";', /pipelines may not import cli/],
    [
      "pipelines/x.ts",
      'import { SqliteEventLog } from "../io/sqlite/event-log";',
      /pipelines may not import io\/sqlite/,
    ],
    ["io/x.ts", 'import { windowedValue } from "../engine";', /io may not import engine/],
    [
      "io/sqlite/x.ts",
      'import { DirectoryArchive } from "../directory/archive";',
      /io\/sqlite may not import io\/directory/,
    ],
    ["intake/x.ts", 'import { runDirect } from "../engine";', /intake may not import engine/],
    ["intake/x.ts", 'import type { Message } from "../transforms/elements";', /intake may not import transforms/],
    ["ingest-api/x.ts", 'import { runDirect } from "../engine";', /ingest-api may not import engine/],
    [
      "ingest-api/x.ts",
      'import { SqliteEventLog } from "../io/sqlite/event-log";',
      /ingest-api may not import io\/sqlite/,
    ],
    ["query-api/x.ts", 'import type { Message } from "../transforms/elements";', /query-api may not import transforms/],
    ["query-api/x.ts", 'export { runAudit } from "../pipelines/audit/audit";', /query-api may not import pipelines/],
    ["engine/x.ts", 'import { minuteOf } from "../domain/event";', /engine may not import domain/],
    ["client/x.ts", 'import { encodeBatch } from "../io/formats/avro/batch";', /client may not import io\/formats/],
    ["client/x.ts", 'import { minuteOf } from "../domain/event";', /client may not import domain/],
    ["servers/x.ts", 'import { main } from "../cli/main";', /servers may not import cli/],
    ["cli/x.ts", 'import { startKafka } from "../servers";', /cli may not import servers/],
    ["cli/x.ts", 'import { PCollection } from "apache-beam";', /apache-beam/],
    ["transforms/x.ts", 'const beam = await import("apache-beam/runners/direct_runner");', /apache-beam/],
    ["engine/x.ts", 'const leftPad = require("left-pad");', /left-pad is not declared/],
    ["io/x.ts", "const folder = process.env.DATA;", /process.env/],
    ["cli/x.ts", "const [, , command] = process.argv;", /process.argv/],
    ["cli/x.ts", 'const { env } = require("node:process");', /process/],
    ["io/x.ts", 'console.log("here");', /console/],
  ])("%s: %.80s", (path, text, message) => {
    expect(found(path, text).join("\n")).toMatch(message);
  });

  test.each([
    [
      "transforms/x.ts",
      'import { BatchFormatError } from "../io/formats/avro/batch";\nimport type { Archive } from "../io/ports";',
    ],
    ["engine/x.ts", 'import { PCollection } from "apache-beam";'],
    ["cli/x.ts", 'import { SqliteEventLog } from "../io/sqlite/event-log";\nconsole.log("here");'],
    ["client/x.ts", 'import type { Rejection } from "../domain/rejection";'],
    ["cli/environment.ts", "export const environment = () => process.env;"],
    ["domain/x.ts", '// process.env and console.log and import "node:fs" in a comment\nconst at = new Date(5);'],
    ["io/x.ts", 'const text = "console.log is not here";'],
  ])("%s: %j is fine", (path, text) => {
    expect(found(path, text)).toEqual([]);
  });
});
