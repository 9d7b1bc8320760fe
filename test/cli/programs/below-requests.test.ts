// SPDX-License-Identifier: Apache-2.0
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { runBelowRequests } from "../../../cli/programs/below-requests";
import { runScheduled } from "../../../cli/programs/scheduled-command";

const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean);

test("a process runs below requests", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  try {
    runBelowRequests(child.pid!);
    expect(getPriority(child.pid!)).toBeGreaterThanOrEqual(5);
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
  expect(getPriority(Number(started))).toBeGreaterThanOrEqual(5);
  stop.abort();
  await ended;
});
