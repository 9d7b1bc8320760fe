// SPDX-License-Identifier: Apache-2.0
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { runBelowRequests } from "../../../cli/programs/below-requests";
import { runScheduled } from "../../../cli/programs/scheduled-command";
import { until } from "../../until";

const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean);

test("a process runs below requests", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  try {
    runBelowRequests(child.pid!);
    expect(getPriority(child.pid!)).toBeGreaterThanOrEqual(10);
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
});

test.runIf(process.platform === "linux")("so do the threads that are older than its first line", async () => {
  const child = spawn(process.execPath, ["-e", "console.log('runs'); setInterval(() => {}, 1000)"]);
  const threads = () => readdirSync(`/proc/${child.pid}/task`).map(Number);
  try {
    await once(child.stdout, "data");
    await until("the process has threads beside its first", () => threads().length > 1);
    runBelowRequests(child.pid!);
    expect(threads().filter((thread) => getPriority(thread) < 10)).toEqual([]);
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
});

test("a process that has ended is no failure", async () => {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await once(child, "close");
  expect(() => runBelowRequests(child.pid!)).not.toThrow();
});

test.runIf(process.platform === "linux")("a scheduled command runs below requests", async () => {
  const before = new Set(children());
  const stop = new AbortController();
  const ended = runScheduled(["--version"], stop.signal);
  const [started] = children().filter((pid) => !before.has(pid));
  expect(getPriority(Number(started))).toBeGreaterThanOrEqual(10);
  stop.abort();
  await ended;
});
