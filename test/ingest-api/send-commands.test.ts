// SPDX-License-Identifier: Apache-2.0

import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lineBlocks } from "../../intake/line-blocks";
import { linesOf } from "../../intake/lines";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { event, IngestHarness, text } from "./ingest-harness";

const MAIN = join(process.cwd(), "dist/cli/main.js");
let harness: IngestHarness;
const stores = emptiedStores();
let folder: string;
beforeEach(async () => {
  harness = await IngestHarness.start({ stores: await stores() });
  harness.nowMs = Date.now();
  folder = mkdtempSync(join(tmpdir(), "viewmill-cli-"));
});
afterEach(async () => {
  await harness.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}
function viewmill(args: string[], input?: string): Promise<Result> {
  return new Promise((resolve) => {
    const options = { cwd: folder, maxBuffer: 1 << 28 };
    const child = execFile(process.execPath, [MAIN, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
    child.stdin?.end(input ?? "");
  });
}

const line = (changes: Record<string, unknown> = {}) => JSON.stringify(event({ eventTime: harness.nowMs, ...changes }));
const distinct = async () => new Set((await harness.events()).map((e) => e.eventId));

describe("send", () => {
  it("sends every line of a file and of standard input", async () => {
    const lines = Array.from({ length: 12_345 }, () => line());
    writeFileSync(join(folder, "events.ndjson"), lines.join("\n"));
    const fromFile = await viewmill(["send", "events.ndjson", "--url", harness.url, "--json"]);
    expect(fromFile).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(fromFile.stdout)).toMatchObject({ accepted: 12_345, rejected: 0, rejectFile: null });
    const fromInput = await viewmill(["send", "-", "--url", harness.url], `\n${line()}\r\n\n${line()}\n`);
    expect(fromInput).toMatchObject({ code: 0, stdout: expect.stringContaining("accepted 2, rejected 0") });
    expect((await distinct()).size).toBe(12_347);
  });

  it("exits with 1 and keeps what was refused, each line as it was with its number and reason", async () => {
    const bad = [line({ value: 1.5 }), "{oops", `${line({ videoId: "é" })}\r`];
    const lines = ["", line(), bad[0]!, line(), bad[1]!, "  ", bad[2]!];
    const result = await viewmill(["send", "-", "--url", harness.url, "--rejects", "r.ndjson"], lines.join("\n"));
    expect(result.code).toBe(1);
    const rejects = readFileSync(join(folder, "r.ndjson"), "utf8").trimEnd().split("\n");
    // In the order of the answers, which is not that of the lines.
    const byLine = rejects.map((text) => JSON.parse(text) as { line: number }).sort((a, b) => a.line - b.line);
    expect(byLine).toMatchObject([
      { line: 3, reason: "bad-value", original: bad[0] },
      { line: 5, reason: "not-json", original: bad[1] },
      { line: 7, reason: "bad-video-id", original: bad[2]!.trimEnd() },
    ]);
    await viewmill(["send", "-", "--url", harness.url], "{oops\n");
    expect(readdirSync(folder).filter((name) => /^rejected-.*\.ndjson$/.test(name))).toHaveLength(1);
  });

  it("a server that is killed and comes back in the middle loses nothing and counts once", async () => {
    const lines = Array.from({ length: 30_000 }, () => line());
    writeFileSync(join(folder, "events.ndjson"), `${lines.join("\n")}\n`);
    const { port } = new URL(harness.url);
    const sending = viewmill(["send", "events.ndjson", "--url", harness.url]);
    await vi.waitFor(async () => expect(await harness.log.head()).toBeGreaterThan(0), { timeout: 10_000, interval: 5 });
    harness.server.closeAllConnections();
    await new Promise((resolve) => harness.server.close(resolve));
    await new Promise<void>((resolve) => harness.server.listen(Number(port), "127.0.0.1", resolve));
    expect(await sending).toMatchObject({ code: 0 });
    expect((await distinct()).size).toBe(30_000);
  });

  it("cuts any stream into whole lines, whatever the chunks", async () => {
    const input = Buffer.from(`a\nbb\n\nccc\n${"x".repeat(50)}\ndddd`);
    for (let size = 1; size <= input.length; size++) {
      const chunks = (async function* () {
        for (let at = 0; at < input.length; at += size) yield input.subarray(at, at + size);
      })();
      const seen: [number, string][] = [];
      for await (const block of lineBlocks(chunks, { maxLines: 2, maxLineBytes: 40 })) {
        if ("oversize" in block) seen.push([block.firstLine, "oversize"]);
        else for (const { number, bytes } of linesOf(block.bytes, block.firstLine)) seen.push([number, text(bytes)]);
      }
      const fifth = seen.find(([number]) => number === 5)?.[1];
      expect(seen.map(([number]) => number)).toEqual([1, 2, 4, 5, 6]);
      expect(["oversize", "x".repeat(50)]).toContain(fifth);
      expect(seen.filter(([number]) => number !== 5).map(([, text]) => text)).toEqual(["a", "bb", "ccc", "dddd"]);
    }
  });
});

describe("generate", () => {
  const shares = ["--duplicates", "0.1", "--late", "0.05", "--bad", "0.1", "--count", "5000", "--seed", "7"];
  it("writes the same bytes for the same seed, with the shares asked for", async () => {
    const args = ["generate", "--out", "-", "--start", "2026-11-21T10:00:00Z", "--json", ...shares];
    const [one, two] = await Promise.all([viewmill(args), viewmill(args)]);
    expect(one.code).toBe(0);
    expect(one.stdout === two.stdout).toBe(true);
    const other = await viewmill([...args, "--seed", "8"]);
    expect(other.stdout === one.stdout).toBe(false);
    const lines = one.stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(5000);
    const counts = JSON.parse(one.stderr) as Record<string, number>;
    expect(counts.duplicates).toBe(5000 - new Set(lines).size);
    for (const [name, share] of [
      ["duplicates", 0.1],
      ["late", 0.05],
      ["bad", 0.1],
    ] as const) {
      expect(Math.abs(counts[name]! / 5000 - share)).toBeLessThan(0.02);
    }
  });

  it("sends what it says: bad ones are refused, the others accepted", async () => {
    const result = await viewmill(["generate", "--rate", "0", "--url", harness.url, "--json", ...shares]);
    expect(result.code).toBe(0);
    const counts = JSON.parse(result.stdout) as Record<string, number>;
    expect(counts).toMatchObject({ generated: 5000, rejected: counts.bad, accepted: 5000 - counts.bad! });
    expect((await distinct()).size).toBe(5000 - counts.bad! - counts.duplicates!);
  });

  it("holds the rate", async () => {
    const result = await viewmill(["generate", "--rate", "500", "--duration", "2", "--url", harness.url, "--json"]);
    expect(JSON.parse(result.stdout)).toMatchObject({ accepted: 1000 });
    expect((JSON.parse(result.stdout) as { seconds: number }).seconds).toBeGreaterThanOrEqual(1.9);
  });
});

describe("dead-letters", () => {
  const cli = (...args: string[]) => viewmill(["dead-letters", ...args, "--data", harness.folder]);

  it("lists by reason, shows one whole, raw byte for byte", async () => {
    await harness.post(`[${line({ value: 1.5 })}, {"a": 1 }]`);
    const all = (await cli("list", "--json")).stdout.trimEnd().split("\n");
    expect(all.map((text) => (JSON.parse(text) as { reason: string }).reason)).toEqual(["bad-value", "missing-field"]);
    expect((await cli("list", "--reason", "bad-value")).stdout).toMatch(/^1 .* bad-value .*\n$/);
    expect((await cli("list", "--limit", "1", "--json")).stdout.trimEnd().split("\n")).toHaveLength(1);
    expect((await cli("show", "2", "--raw")).stdout).toBe('{"a": 1 }');
    expect(JSON.parse((await cli("show", "2")).stdout)).toMatchObject({ id: "2", payload: '{"a": 1 }' });
    expect((await cli("show", "99")).code).toBe(1);
  });

  it("replay sends again after a fix, keeps the eventId, and marks only what was accepted", async () => {
    await harness.post(line({ eventId: "one", videoId: "a b" }));
    await harness.post(line({ eventId: "two", value: 1.5 }), { "Content-Type": "application/x-ndjson" });
    const again = await cli("replay", "--url", harness.url, "--reason", "bad-video-id");
    expect(again.code).toBe(1);
    expect((await harness.letters()).map((l) => l.replayedAtMs)).toEqual([undefined, undefined, undefined]);
    const fixed = await cli("replay", "--url", harness.url, "--id", "1", "--set", "videoId=a-b", "--json");
    expect(fixed).toMatchObject({ code: 0 });
    expect(JSON.parse(fixed.stdout)).toEqual({
      ...{ replayed: 1, countedAtOnce: 1, waiting: [], refused: 0, undelivered: 0 },
    });
    expect((await cli("replay", "--url", harness.url, "--id", "2", "--set", "eventId=other")).code).toBe(1);
    expect((await cli("replay", "--url", harness.url, "--id", "2", "--set", "value=2")).code).toBe(0);
    expect((await harness.events()).map((e) => [e.eventId, e.videoId, e.value])).toEqual([
      ["one", "a-b", undefined],
      ["two", "video-1", 2],
    ]);
    expect((await harness.letters()).map((l) => l.replayedAtMs !== undefined)).toEqual([true, true, false]);
    expect((await cli("replay", "--url", harness.url, "--id", "1", "--set", "videoId=c")).stdout).toContain(
      "replayed 0",
    );
  });

  it("an event without a time is replayed with that of its receipt: sent twice, it is one event", async () => {
    await harness.post('{"eventId":"x","videoId":"a b","eventType":"VIEW"}');
    const receivedAtMs = harness.nowMs;
    harness.nowMs += 700_000;
    const args = ["replay", "--url", harness.url, "--id", "1", "--set", "videoId=ab"];
    await cli(...args);
    harness.nowMs += 700_000;
    await cli(...args, "--all");
    expect((await harness.events()).map((e) => e.eventTimeMs)).toEqual([receivedAtMs, receivedAtMs]);
  });

  it("a service that is away is exit 2, and nothing is marked", async () => {
    await harness.post(line({ value: 1.5 }));
    const child = await cli("replay", "--url", "http://127.0.0.1:9", "--set", "value=1");
    expect(child.code).toBe(2);
    expect((await harness.letters())[0]!.replayedAtMs).toBeUndefined();
  }, 60_000);
});

it("every command has a --help and refuses nonsense without a stack trace", async () => {
  for (const args of [["send"], ["generate"], ["dead-letters"], ["dead-letters", "replay"]]) {
    expect(await viewmill([...args, "--help"])).toMatchObject({ code: 0, stdout: expect.stringContaining("Usage:") });
  }
  for (const args of [
    ["send", "-", "--url", "nonsense"],
    ["generate", "--bad", "2"],
    ["generate", "--bad", "0.6", "--late", "0.6"],
    ["generate", "--rate", "0"],
    ["dead-letters", "list", "--reason", "nonsense"],
    ["send", "not-there.ndjson"],
  ]) {
    const { code, stderr } = await viewmill(args);
    expect(code).not.toBe(0);
    expect(stderr).not.toMatch(/\n\s+at /);
  }
});
