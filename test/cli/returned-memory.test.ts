// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { withReturnedMemory } from "../../cli/returned-memory";
import { removeFolders, temporaryFolder } from "../io/ports/condition";

const MAIN = join(__dirname, "..", "..", "cli", "main.js");
const started: ChildProcess[] = [];

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "close");
  }
  removeFolders();
});

test("what the environment says about the allocator stands", () => {
  expect(withReturnedMemory({ MALLOC_ARENA_MAX: "8", HOME: "/home/a" })).toEqual({
    MALLOC_ARENA_MAX: "8",
    MALLOC_MMAP_THRESHOLD_: "65536",
    HOME: "/home/a",
  });
});

/** Starts `serve` by the command line; resolves with the environment and the arguments of the process that answers. */
async function served(env: Record<string, string>, channel: "ignore" | "ipc" = "ignore") {
  const all = Object.entries({ ...process.env, ...env }).filter(([name]) => !/^MALLOC_/.test(name) || name in env);
  const args = ["--stack-size=900", MAIN, "serve", "--port", "0", "--data", temporaryFolder(), "--log-level", "error"];
  const stdio: StdioOptions = ["ignore", "pipe", "inherit", channel];
  const child = spawn(process.execPath, args, { env: Object.fromEntries(all), stdio });
  started.push(child);
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  expect(String(line)).toMatch(/viewmill listening on http/);
  const wordsOf = (file: string) => readFileSync(`/proc/${child.pid}/${file}`, "utf8").split("\0");
  const settings = wordsOf("environ").filter((each) => each.startsWith("MALLOC_"));
  const metrics = await fetch(`${/http\S+/.exec(String(line))![0]}/metrics`).then((answer) => answer.text());
  const youngGeneration = Number(/^nodejs_heap_space_size_total_bytes\{space="new"\} (\d+)$/m.exec(metrics)?.[1]);
  const found = { settings: settings.sort(), args: wordsOf("cmdline").slice(1, -1), youngGeneration };
  expect(found.args).toEqual(args);
  expect(child.connected).toBe(channel === "ipc");
  child.kill("SIGTERM");
  expect(await once(child, "close")).toEqual([0, null]);
  return found;
}

describe.skipIf(process.platform !== "linux")("the process of a service", () => {
  it("gives memory back, with its number, its flags and its signals", async () => {
    const { settings, youngGeneration } = await served({});
    // V8's own bound is 32 MiB, which what is loaded at the start fills.
    expect(youngGeneration).toBeLessThan(8 << 20);
    expect(settings).toEqual(["MALLOC_ARENA_MAX=1", "MALLOC_MMAP_THRESHOLD_=65536"]);
  });

  it("keeps the allocator that its environment asks for", async () => {
    expect((await served({ MALLOC_ARENA_MAX: "3" })).settings).toEqual(["MALLOC_ARENA_MAX=3"]);
  });

  it("stays as it is where its parent holds a channel to it", async () => {
    expect((await served({}, "ipc")).settings).toEqual([]);
  });
});
