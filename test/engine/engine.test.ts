// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  fixedWindows,
  instant,
  millis,
  provideResource,
  registeredModules,
  resource,
  withdrawResource,
} from "../../engine";
import { sdk } from "../../engine/fixes/sdk";
import { moduleNameOf, requireModule } from "../../engine/module-names";

const startOf = (timestampMs: number, options: { sizeMs: number; offsetMs?: number }) => {
  const [window] = fixedWindows(options).assignWindows(instant(timestampMs));
  return [millis(window!.start), millis(window!.end)];
};

test.each([
  [0, { sizeMs: 60_000 }, [0, 60_000]],
  [59_999, { sizeMs: 60_000 }, [0, 60_000]],
  [60_000, { sizeMs: 60_000 }, [60_000, 120_000]],
  [-1, { sizeMs: 60_000 }, [-60_000, 0]],
  [-60_000, { sizeMs: 60_000 }, [-60_000, 0]],
  [5_000, { sizeMs: 60_000, offsetMs: 10_000 }, [-50_000, 10_000]],
  [1_700_000_000_250, { sizeMs: 500 }, [1_700_000_000_000, 1_700_000_000_500]],
])("the instant %i is in its window of %o", (timestampMs, options, expected) => {
  expect(startOf(timestampMs, options)).toEqual(expected);
});

test("the stock fixedWindows puts an instant before the epoch into the window after its own", () => {
  const { fixedWindows: stock } = require("apache-beam") as typeof import("apache-beam");
  expect(millis(stock(60).assignWindows(instant(-1))[0]!.start)).toBe(0);
});

test("fixed windows survive serialisation", () => {
  const sent = sdk.serialize.serializeFn({ windowFn: fixedWindows({ sizeMs: 60_000, offsetMs: 10_000 }) });
  const { windowFn } = sdk.serialize.deserializeFn(sent) as { windowFn: ReturnType<typeof fixedWindows> };
  expect(millis(windowFn.assignWindows(instant(-1))[0]!.start)).toBe(-50_000);
});

test("a deep module of the SDK can be the first thing asked for", () => {
  const script = `require(${JSON.stringify(require.resolve("../../engine/fixes/load"))});
    const { sdk } = require(${JSON.stringify(require.resolve("../../engine/fixes/sdk"))});
    process.stdout.write(typeof sdk.operators.registerOperator);`;
  expect(execFileSync(process.execPath, ["-e", script], { encoding: "utf8" })).toBe("function");
});

test("a missing resource is named, a factory is called once, a taken name is refused", () => {
  expect(() => resource("counters")).toThrow('no resource "counters"');
  let made = 0;
  provideResource("counters", () => ({ made: ++made }));
  expect([resource("counters"), resource("counters")]).toEqual([{ made: 1 }, { made: 1 }]);
  expect(() => provideResource("counters", {})).toThrow("provided already");
  withdrawResource("counters");
  expect(() => resource("counters")).toThrow('no resource "counters"');
});

describe("a module's name", () => {
  const folder = mkdtempSync(join(tmpdir(), "viewmill-module-"));
  const file = join(folder, "dist", "count.js");
  mkdirSync(join(folder, "dist"));
  writeFileSync(file, "exports.answer = 42;");
  afterAll(() => rmSync(folder, { recursive: true }));

  test("is that of its package and its path in it, whichever package that is", () => {
    writeFileSync(join(folder, "package.json"), '{"name":"@a-stranger/project"}');
    expect(moduleNameOf(file)).toBe("@a-stranger/project/dist/count");
  });

  test("is refused where a worker could not find it", () => {
    writeFileSync(join(folder, "package.json"), "{}");
    expect(() => moduleNameOf(file)).toThrow("no worker can find it");
    expect(() => requireModule("../count")).toThrow("not the name of a module");
    expect(() => requireModule("viewmill/dist/no/such/module")).toThrow("Cannot find module");
  });
});

test("every registered module can be required the way a worker does", () => {
  const ours = registeredModules().filter((name) => name.startsWith("viewmill/"));
  expect(ours).toContain("viewmill/dist/engine/awaitable-pardo");
  for (const name of ours) expect(() => requireModule(name)).not.toThrow();
});

test.each([
  ["a bigint", 1n],
  ["a Map", new Map()],
  ["a Float64Array", new Float64Array(1)],
  ["a Date", new Date(0)],
])("%s is refused by the coder instead of arriving as something else", (_what, value) => {
  const coder = new sdk.jsCoders.GeneralObjectCoder<unknown>();
  const encode = () => coder.encode(value, new sdk.protobuf.Writer(), "needsDelimiters" as never);
  expect(encode).toThrow(/cannot cross a worker boundary/);
});
