// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { minuteOf } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";
import { runBoundedStream } from "../../pipelines/bounded/bounded-stream";
import { columnsOf, T0 } from "../domain/model";
import { archiveObject } from "../io/formats/avro/events";
import { openStores, type Stores } from "../system/golden/embedded-runner";
import { storedCells } from "../system/golden/outcome";
import { event } from "../transforms/elements";

let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-bounded-"));
  stores = await openStores(folder);
});
afterEach(async () => {
  await stores.close();
  rmSync(folder, { recursive: true, force: true });
});

const counting = { dedupePartitions: 2, videoShards: 1, allowedLatenessMs: -1, followCorrections: true };
const HOUR_MS = 3_600_000;

async function archived(timeMs: number, ids: readonly string[], fileName = "w-1.avro"): Promise<void> {
  const columns = columnsOf(ids.map((id) => event(id, { eventTimeMs: timeMs })));
  await stores.archive.write(minuteOf(timeMs), fileName, archiveObject(fileName, columns, timeMs));
}

const totals = async () => [...(await storedCells(stores.counters)).totals].map(([name, { count }]) => [name, count]);

test("only minutes of the range are counted, over hours, and the result says what was read", async () => {
  for (const at of [-1, 0, 59, 60, 150, 180]) await archived(T0 + at * MINUTE_MS, [`e${at}`]);
  await archived(T0, ["again", "e0"], "w-2.avro");
  const result = await runBoundedStream(stores, { fromMs: T0, toMs: T0 + 3 * HOUR_MS, counting });
  expect(result).toMatchObject({ objects: 5, minutes: 4, events: 6, deadLetters: 0 });
  expect(await totals()).toEqual([["total v VIEW", 5]]);
  expect((await storedCells(stores.counters)).hours.size).toBe(3);
});

test("running it again changes nothing", async () => {
  await archived(T0, ["a", "b"]);
  const range = { fromMs: T0, toMs: T0 + HOUR_MS, counting };
  const first = await runBoundedStream(stores, range);
  const second = await runBoundedStream(stores, range);
  expect({ ...second, elapsedMs: 0 }).toEqual({ ...first, elapsedMs: 0 });
  expect(await totals()).toEqual([["total v VIEW", 2]]);
});

test("a damaged object is a dead letter, and the others are counted", async () => {
  await archived(T0, ["a", "b"]);
  const name = "w-2.avro";
  const content = archiveObject(name, columnsOf([event("c")]), T0);
  await stores.archive.write(minuteOf(T0), name, content.subarray(0, -3));
  expect(await runBoundedStream(stores, { fromMs: T0, toMs: T0 + HOUR_MS, counting })).toMatchObject({
    deadLetters: 1,
  });
  expect(await stores.deadLetters.list({ limit: 9 })).toMatchObject([{ reason: "not-avro", source: "pipeline" }]);
  expect(await totals()).toEqual([["total v VIEW", 2]]);
});

test("an hour is counted before the next is read: what a failure leaves is whole hours", async () => {
  await archived(T0, ["a"]);
  await archived(T0 + HOUR_MS, ["b"]);
  const archive = new Proxy(stores.archive, {
    get: (target, member) => {
      if (member === "read") {
        return (name: string) =>
          name.includes("hour=11") ? Promise.reject(new Error("the disk is gone")) : target.read(name);
      }
      const value = Reflect.get(target, member, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const range = { fromMs: T0, toMs: T0 + 2 * HOUR_MS, counting };
  await expect(runBoundedStream({ ...stores, archive }, range)).rejects.toThrow("the disk is gone");
  expect(await totals()).toEqual([["total v VIEW", 1]]);
  await runBoundedStream(stores, range);
  expect(await totals()).toEqual([["total v VIEW", 2]]);
});

test("an empty range counts nothing, one that is none is refused", async () => {
  expect(await runBoundedStream(stores, { fromMs: T0, toMs: T0, counting })).toMatchObject({ objects: 0, events: 0 });
  await expect(runBoundedStream(stores, { fromMs: T0 + 1, toMs: T0 + HOUR_MS, counting })).rejects.toThrow(RangeError);
  await expect(runBoundedStream(stores, { fromMs: T0 + HOUR_MS, toMs: T0, counting })).rejects.toThrow(RangeError);
});

describe("viewmill pipeline stream", () => {
  const program = `const { Command } = require("commander");
    const program = new Command();
    require(${JSON.stringify(join(__dirname, "..", "..", "cli", "commands", "pipeline.js"))}).register(program);
    program.parseAsync(process.argv.slice(1), { from: "user" });`;
  const viewmill = (...args: string[]) => promisify(execFile)(process.execPath, ["-e", program, "--", ...args]);

  test("counts a range of the deployment's archive", async () => {
    await archived(T0, ["a", "b", "b"]);
    const range = ["--from", "2026-11-21T10:00:00Z", "--to", "2026-11-21T11:00:00Z"];
    const { stdout } = await viewmill("pipeline", "stream", "--runner", "direct", ...range, "--data", folder, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ objects: 1, minutes: 1, events: 3 });
    expect(await totals()).toEqual([["total v VIEW", 2]]);
  });

  test.each([
    ["flink without a log to read", ["--runner", "flink"], /a job on Flink reads Kafka or Pub\/Sub/],
    ["spark", ["--runner", "spark"], /'spark' is invalid. Allowed choices are direct, flink, dataflow/],
    ["dataflow without a place", ["--runner", "dataflow"], /a job on Dataflow needs dataflow\.region or --region/],
    ["a time that is none", ["--from", "noon"], /an RFC 3339 time is wanted/],
    ["half a minute", ["--from", "2026-11-21T10:00:30Z"], /a whole minute is wanted/],
  ])("%s is a clear error", async (_what, args, message) => {
    await expect(viewmill("pipeline", "stream", ...args, "--data", folder)).rejects.toThrow(message);
  });
});
