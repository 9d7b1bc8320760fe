// SPDX-License-Identifier: Apache-2.0
import { fork } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DataParameters, EventSource, LATE_MS } from "../../bench/data/event-source";
import { topFunctions } from "../../bench/flink/cpu-profile";
import { nativeCells } from "../../bench/flink/native-cells";
import { treeOf, UsageSince, usageOf } from "../../bench/flink/process-usage";
import { sustainedRate } from "../../bench/measurements/flink-sustained";
import { encodeCell } from "../../io/bigtable/codec";
import { minuteRowKey } from "../../io/bigtable/row-keys";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-bench-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value, "latin1")]);

/** The form in which CellWriter.java writes a cell. */
function mutation(videoId: string, column: string, count: number, sum: bigint): Buffer {
  const version = Buffer.alloc(8);
  version.writeBigInt64BE(BigInt(count));
  const hour = Date.UTC(2026, 10, 21, 10) / 3_600_000;
  return Buffer.concat([
    text(minuteRowKey(videoId, hour)),
    text(column),
    version,
    encodeCell({ count, sum, lastMs: 0 }),
  ]);
}

const MINUTE = Date.UTC(2026, 10, 21, 10, 59) / 60_000;

test("of the mutations of a cell the one with the larger count is read, and of equal counts the larger sum, whatever file they are in", () => {
  writeFileSync(join(folder, "a"), Buffer.concat([mutation("v", "59:VIEW", 3, -9n), mutation("v", "59:VIEW", 2, 80n)]));
  writeFileSync(join(folder, "b"), Buffer.concat([mutation("v", "59:VIEW", 3, -7n), mutation("w#1", "00:A", 1, 5n)]));
  expect([...nativeCells(folder)]).toEqual([
    { videoId: "v", eventType: "VIEW", minute: MINUTE, count: 3, sum: -7n },
    { videoId: "w#1", eventType: "A", minute: MINUTE - 59, count: 1, sum: 5n },
  ]);
});

test("a rate is of what was counted after the warm-up, by the time that took: falling behind lowers it, a late minute alone does not", () => {
  const steady = [
    { atMs: 0, done: 0 },
    { atMs: 90_000, done: 6_000 },
    { atMs: 150_000, done: 12_000 },
    { atMs: 210_000, done: 18_000 },
  ];
  expect(sustainedRate(steady, 6_000, 18_000)).toBe(100);
  expect(sustainedRate([...steady, { atMs: 300_000, done: 18_100 }], 6_000, 18_000)).toBe(100);
  expect(sustainedRate([...steady.slice(0, 3), { atMs: 270_000, done: 18_000 }], 6_000, 18_000)).toBeCloseTo(66.67, 1);
});

test("a mutation that is cut off is refused at every length", () => {
  const whole = mutation("video", "59:VIEW", 3, 1n);
  for (let length = 1; length < whole.length; length++) {
    writeFileSync(join(folder, "a"), whole.subarray(0, length));
    expect(() => [...nativeCells(folder)]).toThrow("cut off");
  }
});

test("a function's share is of the time in which something ran, over all profiles", () => {
  const profile = (samples: number[], timeDeltas: number[]) =>
    JSON.stringify({
      nodes: [
        { id: 1, callFrame: { functionName: "(idle)", url: "", lineNumber: -1 } },
        { id: 2, callFrame: { functionName: "decode", url: "file:///x/batch.js", lineNumber: 9 } },
        { id: 3, callFrame: { functionName: "", url: "file:///x/b.js", lineNumber: 0 } },
      ],
      samples,
      timeDeltas,
    });
  writeFileSync(join(folder, "1.cpuprofile"), profile([1, 2, 3], [5e6, 2e6, 1e6]));
  writeFileSync(join(folder, "2.cpuprofile"), profile([2], [1e6]));
  expect(topFunctions(folder, 5)).toEqual([
    { function: "decode batch.js:10", share: 0.75, selfS: 3 },
    { function: "(anonymous) b.js:1", share: 0.25, selfS: 1 },
  ]);
});

test("late events are dated before the others, in about their share, and repeats of them stay as they were", () => {
  const startMs = Date.UTC(2026, 10, 21, 10);
  const parameters: DataParameters = {
    events: 20_000,
    videos: 100,
    minutes: 1,
    startMs,
    repeatShare: 0.1,
    valueShare: 0,
    lateShare: 0.05,
    batchEvents: 500,
    seed: 3,
    spread: "hot",
  };
  const times = new Map<string, Set<number>>();
  let late = 0;
  for (const { count, ids, timesMs } of new EventSource(parameters).batches()) {
    for (let row = 0; row < count; row++) {
      if (timesMs[row]! < startMs) late++;
      expect(timesMs[row]).toBeGreaterThanOrEqual(startMs - LATE_MS);
      const id = Buffer.from(ids.subarray(row * 16, row * 16 + 16)).toString("hex");
      times.set(id, (times.get(id) ?? new Set()).add(timesMs[row]!));
    }
  }
  expect(late / parameters.events).toBeCloseTo(0.05, 2);
  expect([...times.values()].every(({ size }) => size === 1)).toBe(true);
});

test.runIf(process.platform === "linux")("a process is measured with what it started, under its name", async () => {
  const program = join(folder, "child.js");
  // The grandchild burns for a while, so that there is time to be seen.
  writeFileSync(
    program,
    `if (process.argv[2]) { process.channel?.unref(); const { spawn } = require("node:child_process");
       spawn(process.execPath, [__filename], { stdio: "inherit" }).on("spawn", () => process.send("started")); setInterval(() => {}, 1e3);
     } else { const end = Date.now() + 600; while (Date.now() < end); setInterval(() => {}, 1e3); }`,
  );
  const child = fork(program, ["parent"]);
  try {
    await new Promise((resolve) => child.once("message", resolve));
    const used = new UsageSince(() => ({ parent: child.pid, gone: undefined }));
    await vi.waitFor(() => expect(used.cpuS()).toBeGreaterThan(0.1), { timeout: 20_000 });
    const [, grandchild] = treeOf(child.pid!);
    expect(Object.keys(used.now())).toEqual(["parent", `parent/${grandchild}`]);
    expect(usageOf(grandchild!)!.peakRssBytes).toBeGreaterThan(10 << 20);
    process.kill(grandchild!, "SIGKILL");
  } finally {
    child.kill("SIGKILL");
  }
});
