// SPDX-License-Identifier: Apache-2.0
/** The arrows between rooms (room-rules.ts), and the rules for the text of a source (content-rules.ts). */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { contentProblems, formProblems } from "./content-rules";
import { exportProblems } from "./export-rules";
import { functionProblems } from "./function-rules";
import { ROOMS, ROOMS_OF_ADAPTER, roomRules } from "./room-rules";
import { type Violation, violations } from "./source-graph";

const ROOT = join(__dirname, "..", "..", "..", "..");

const declaredIn = (folder: string) => {
  // A package may have none.
  const { dependencies = {} } = JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"));
  return Object.keys(dependencies as object);
};
const servers = readdirSync(join(ROOT, "io")).filter((name) => existsSync(join(ROOT, "io", name, ROOMS_OF_ADAPTER[0])));
const rules = roomRules({ engine: declaredIn("engine"), client: declaredIn("client") }, servers);

/** Not what is built into engine/ and client/. */
const paths = ROOMS.flatMap((room) =>
  readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !/(?:^|\/)(?:dist|node_modules)\//.test(file))
    .map((file) => `${room}/${file}`),
);

test("every source keeps to its room's arrows, and nothing is imported in a circle", async () => {
  expect(paths.length).toBeGreaterThan(400);
  expect(await violations(ROOT, paths, { checkout: ROOT, rules })).toEqual([]);
});

test("every adapter of a server has the same rooms", () => {
  expect(servers).toEqual(expect.arrayContaining(["bigtable", "gcs", "kafka", "pubsub", "redis"]));
  for (const adapter of servers)
    expect(readdirSync(join(ROOT, "io", adapter))).toEqual(expect.arrayContaining([...ROOMS_OF_ADAPTER]));
});

test("every source keeps to what its room may hold", () => {
  expect(contentProblems(paths.map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") })))).toEqual([]);
});

test("every export has a user outside its own file, and not only tests", () => {
  const sources = ["dashboard", "scripts", "test", ...ROOMS].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.(?:ts|tsx|mjs)$/.test(file) && !/(?:^|\/)(?:dist|node_modules)\/|\.d\.ts$/.test(file))
      .map((file) => ({ path: `${folder}/${file}`, text: readFileSync(join(ROOT, folder, file), "utf8") })),
  );
  expect(exportProblems(sources)).toEqual([]);
});

describe("an export without a user is named", () => {
  const own = {
    path: "io/a.ts",
    text: "export const LIMIT = 5;\nexport function make() {}\nexport interface Made {}\n",
  };
  const user = (path: string, text: string) => ({ path, text });
  const ALL = 'import { LIMIT, type Made, make as made } from "../io/a";';
  test.each<[string, { path: string; text: string }[], RegExp | undefined]>([
    ["by nobody", [], /LIMIT\n.*make\n.*Made/],
    ["by its own file", [user("io/b.ts", "const x = 1;")], /nobody but its own file/],
    [
      "by tests alone",
      [user("test/io/a.test.ts", ALL.replace("../io", "../../io"))],
      /^io\/a.ts: tests alone use the export make$/,
    ],
    ["by a source", [user("cli/b.ts", ALL)], undefined],
    [
      "of a whole that is passed on",
      [user("io/i.ts", 'export * from "./a";'), user("cli/b.ts", ALL.replace("io/a", "io/i"))],
      undefined,
    ],
    ["as a whole", [user("cli/b.ts", 'import * as a from "../io/a";\nuse(a);')], undefined],
    ["by one that loads it", [user("cli/b.ts", 'const a = await import("../io/a.js");')], undefined],
    ["passed on to nobody", [user("io/index.ts", 'export { LIMIT, type Made, make } from "./a";')], /io\/index.ts/],
    [
      "passed on to a user",
      [
        user("io/index.ts", 'export { LIMIT, type Made, make } from "./a";'),
        user("cli/b.ts", 'import { LIMIT, type Made, make } from "../io";'),
      ],
      undefined,
    ],
  ])("%s", (_name, users, message) => {
    const found = exportProblems([own, ...users]).join("\n");
    if (message === undefined) expect(found).toBe("");
    else expect(found).toMatch(message);
  });
});

test("every source names its licence, and no comment is wider than 120 columns", () => {
  const folders = [...ROOMS, "dashboard", "scripts", "test"];
  const sources = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.(?:ts|tsx|mjs|js|sh)$/.test(file) && !/(?:^|\/)(?:dist|node_modules)\/|\.d\.ts$/.test(file))
      .map((file) => ({ path: `${folder}/${file}`, text: readFileSync(join(ROOT, folder, file), "utf8") })),
  );
  expect(formProblems(sources)).toEqual([]);
  expect(formProblems([{ path: "io/x.ts", text: `// ${"x".repeat(130)}` }])).toEqual([
    expect.stringContaining("SPDX"),
    expect.stringContaining("io/x.ts:1: a comment of 133 columns"),
  ]);
});

test("no function of a test is longer than 70 lines, as Biome has it for the sources", async () => {
  const tests = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => ({ path: `test/${file}`, text: readFileSync(join(ROOT, "test", file), "utf8") }));
  expect(tests.length).toBeGreaterThan(400);
  expect(await functionProblems(tests)).toEqual([]);
});

describe("a function that is too long is named", () => {
  const long = (before: string, lines: number, after: string) =>
    [before, ...Array.from({ length: lines - 2 }, (_, n) => `  use(${n});`), after].join("\n");
  const nested = (open: string, inner: string, close: string) => [open, inner, close].join("\n");
  const fits = long("test('a', () => {", 70, "});");
  const tooLong = long("test.each([1])('a', async () => {", 71, "});");
  test.each<[string, string, string[]]>([
    ["a test of 70 lines", fits, []],
    ["a test of 71", tooLong, ["x.ts:1: a function of 71 lines, more than 70"]],
    ["a function of 71", long("function f<T>(t: T) {", 71, "}"), ["x.ts:1: a function of 71 lines, more than 70"]],
    ["a suite of tests", nested("describe('s', () => {", `${fits}\n${fits}`, "});"), []],
    ["a suite of rows", nested("describe.each([[1]])('s', (n) => {", `${fits}\n${fits}`, "});"), []],
    ["a suite that needs servers", nested("describeWithServers('s', ['k'], () => {", `${fits}\n${fits}`, "});"), []],
    [
      "a long test in a suite",
      nested("describe('s', () => {", tooLong, "});"),
      ["x.ts:2: a function of 71 lines, more than 70"],
    ],
    ["a suite of statements", long("describe('s', () => {", 71, "});"), ["x.ts:1: a suite of 71 lines, more than 70"]],
    [
      "a contract",
      nested("export function contract() {", nested("describe('s', () => {", `${fits}\n${fits}`, "});"), "}"),
      [],
    ],
    [
      "tests of a function",
      nested("function tests() {", `${fits}\n${fits}`, "}"),
      ["x.ts:1: a function of 142 lines, more than 70"],
    ],
  ])("%s", async (_what, text, problems) => {
    expect(await functionProblems([{ path: "x.ts", text }])).toEqual(problems);
  });
});

describe("an import that a room may not have is named", () => {
  const TARGETS = [
    "cli/main",
    "domain/event",
    "domain/rejection",
    "engine/index",
    "io/directory/archive",
    "io/flow/retry",
    "io/formats/avro/batch",
    "io/kafka/topics",
    "io/ports/index",
    "io/sqlite/event-log",
    "pipelines/audit/audit",
    "servers/index",
    "transforms/elements",
  ];
  const FORBIDDEN: [string, string, string, string][] = [
    ["domain", 'import type { Archive } from "../io/ports";', "io/ports/index", "domain knows"],
    ["domain", 'import { open } from "node:fs";', "fs", "no I/O"],
    ["domain", 'import { Type } from "avsc";', "avsc", "nothing but hashes"],
    ["transforms", 'import { A } from "../io/directory/archive";', "io/directory", "transforms knows"],
    ["transforms", 'import { audit } from "../pipelines/audit/audit";', "pipelines/audit", "transforms knows"],
    ["transforms", 'const beam = await import("apache-beam");', "apache-beam", "engine alone"],
    ["pipelines", 'import { main } from "../cli/main";', "cli/main", "pipelines knows"],
    ["pipelines", 'import { SqliteEventLog } from "../io/sqlite/event-log";', "io/sqlite", "pipelines knows"],
    ["io/sqlite", 'import { A } from "../directory/archive";', "io/directory", "no other adapter"],
    ["io/formats", 'import { ensureTopic } from "../kafka/topics";', "io/kafka", "and no adapter"],
    ["io/flow", 'import { ensureTopic } from "../kafka/topics";', "io/kafka", "and no adapter"],
    ["io/ports", 'import { encodeBatch } from "../formats/avro/batch";', "io/formats", "ports know no adapter"],
    ["io/kafka", 'import { retrying } from "../flow/retry";', "io/flow/retry", "decided in an adapter's errors.ts"],
    ["pipelines", 'import { retrying } from "../io/flow/retry";', "io/flow/retry", "decided in an adapter's errors.ts"],
    ["io/sqlite", 'import { retrying } from "../flow/retry";', "io/flow/retry", "decided in an adapter's errors.ts"],
    ["io/directory", 'import { Kafka } from "kafkajs";', "kafkajs", "a package below io/"],
    ["io/kafka", 'import { retry } from "cockatiel";', "cockatiel", "those of io/flow/retry.ts"],
    ["io/sqlite", 'import { windowedValue } from "../../engine";', "engine/index", "io knows"],
    ["intake", 'import type { Message } from "../transforms/elements";', "transforms/elements", "intake knows"],
    ["ingest-api", 'import { runDirect } from "../engine";', "engine/index", "ingest-api knows"],
    ["query-api", 'export { audit } from "../pipelines/audit/audit";', "pipelines/audit", "query-api knows"],
    ["engine", 'import { minuteOf } from "../domain/event";', "domain/event", "engine knows"],
    ["engine", 'const program = require("commander");', "commander", "engine uses what"],
    ["client", 'import { encodeBatch } from "../io/formats/avro/batch";', "io/formats", "client knows"],
    ["client", 'import { minuteOf } from "../domain/event";', "domain/event", "client knows"],
    ["client", 'import express from "express";', "express", "client uses what"],
    ["servers", 'import { main } from "../cli/main";', "cli/main", "servers knows"],
    ["cli", 'import { startKafka } from "../servers";', "servers/index", "cli knows"],
    ["cli", 'const { env } = require("node:process");', "process", "cli/environment.ts"],
    ["cli", 'import { test } from "vitest";', "vitest", "declared"],
    ["cli", 'import { gone } from "./gone";', "gone", "is there"],
  ];
  const ALLOWED: [string, string][] = [
    ["domain", 'import { hash } from "node:crypto";'],
    ["transforms", 'import { encodeBatch } from "../io/formats/avro/batch";\nimport type { A } from "../io/ports";'],
    ["engine", 'import { PCollection } from "apache-beam";\nimport type { Writer } from "protobufjs";'],
    ["cli", 'import { SqliteEventLog } from "../io/sqlite/event-log";'],
    ["io/kafka", 'import { Kafka } from "kafkajs";'],
    ["io/formats", 'import { Type } from "avsc";'],
    ["client", 'import type { Rejection } from "../domain/rejection";'],
    ["io/sqlite", 'import type { A } from "../ports";\nimport { encodeBatch } from "../formats/avro/batch";'],
  ];
  const nameOf = (room: string, at: number) => `${room}/source-${at}.ts`;
  const cases = [...FORBIDDEN, ...ALLOWED].map(([room, text], at): [string, string] => [nameOf(room, at), text]);
  const folder = mkdtempSync(join(tmpdir(), "viewmill-sources-"));
  let found: Violation[];

  beforeAll(async () => {
    const circle: [string, string][] = [
      ["plan/a.ts", 'import { b } from "./b"; export const a = () => b;'],
      ["plan/b.ts", 'import type { a } from "./a"; export const b = {} as typeof a;'],
    ];
    const files = [...TARGETS.map((path): [string, string] => [`${path}.ts`, "export {};"]), ...cases, ...circle];
    for (const [path, text] of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const sources = files.map(([path]) => path);
    found = await violations(folder, sources, { checkout: ROOT, rules });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(FORBIDDEN.map((each, at) => [...each, at] as const))("%s: %s", (room, _text, to, rule, at) => {
    const own = found.filter(({ from }) => from === nameOf(room, at));
    expect(own.map((each) => `${each.rule}: ${each.to}`).join("\n")).toMatch(new RegExp(`${rule}.*: .*${to}`));
  });

  test.each(ALLOWED.map((each, at) => [...each, at] as const))("%s: %j is fine", (room, _text, at) => {
    expect(found.filter(({ from }) => from === nameOf(room, FORBIDDEN.length + at))).toEqual([]);
  });

  test("a circle of types is a circle", () => {
    expect(found.filter(({ rule }) => rule === "no circles").map(({ from }) => from)).toContain("plan/a.ts");
  });
});

describe("a text that a room may not hold is named", () => {
  test.each<[string, string, RegExp]>([
    ["io/x.ts", "export const limit = 5;", /what it is for/],
    ["domain/x.ts", "const now = Date.now();", /clock/],
    ["domain/x.ts", "const now = new Date();", /clock/],
    ["domain/x.ts", "const dice = Math.random();", /randomness/],
    ["domain/x.ts", 'import { randomBytes } from "node:crypto";', /randomness/],
    ["client/x.ts", 'import { reasons } from "../domain/rejection";', /more than types/],
    ["io/x.ts", "const folder = process.env.DATA;", /process.env/],
    ["cli/x.ts", "const [, , command] = process.argv;", /process.argv/],
    ["io/x.ts", 'console.log("here");', /console/],
    ["cli/programs/x.ts", 'import type { Config } from "../config/schema";', /whole Config/],
    ["cli/deployment/x.ts", 'import { type Config, configSchema } from "../config/schema";', /whole Config/],
    ["io/x.ts", "const HOUR_MS = 3_600_000;", /domain\/rules\/time.ts already/],
    ["io/x.ts", "const week = 7 * 86_400;", /"86_400" is in domain\/rules\/time.ts already/],
    ["query-api/x.ts", "const hour = Math.floor(minute / 60);", /domain\/rules\/time.ts already/],
    ["io/x.ts", `${"\n".repeat(600)}const x = 1;`, /601 lines/],
  ])("%s: %.80s", (path, text, message) => {
    expect(contentProblems([{ path, text }]).join("\n")).toMatch(message);
  });

  test.each([
    ["cli/x.ts", 'console.log("here");'],
    ["cli/commands/x.ts", 'import type { Config } from "../config/schema";'],
    ["cli/programs/x.ts", 'import type { Settings } from "../config/schema";'],
    ["cli/environment.ts", "export const environment = () => process.env;"],
    ["client/x.ts", 'import type { Rejection } from "../domain/rejection";'],
    ["domain/x.ts", "// process.env and console.log in a comment\nconst at = new Date(5);"],
    ["io/x.ts", 'const text = "console.log is not here";'],
  ])("%s: %j is fine", (path, text) => {
    expect(contentProblems([{ path, text: `/** Says what it is for. */\n${text}` }])).toEqual([]);
  });
});
