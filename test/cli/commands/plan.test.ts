// SPDX-License-Identifier: Apache-2.0
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const CLI = join(__dirname, "..", "..", "..", "cli", "main.js");
const plan = (...args: string[]) =>
  promisify(execFile)(process.execPath, [
    CLI,
    "plan",
    "--events-per-second",
    "1e6",
    "--videos",
    "1_000_000",
    ...args,
  ]).then(
    ({ stdout }) => ({ code: 0, stdout, stderr: "" }),
    (failed: { code: number; stdout: string; stderr: string }) => failed,
  );

test("prints every line, and with --explain its formula and where its numbers are from", async () => {
  const { stdout } = await plan("--explain", "--prices", "--late", "0.01");
  for (const text of [
    "dedup partitions P",
    "shuffle 1: blocks",
    "nodes",
    "a billion events",
    "docs/decisions/0006",
    "https://cloud.google.com/pubsub/pricing",
  ])
    expect(stdout).toContain(text);
  expect(stdout).toMatch(/! late events fire each minute 3\.0 times/);
});

test("--json has all of it, with the simulation where asked for; another price and coefficient count", async () => {
  const args = ["--json", "--simulate", "--simulated-events", "1000", "--assume", "paneEvents=100000"];
  const [list, dear] = await Promise.all([plan(...args), plan("--json", "--price", "bigtableNodeHour=6.5")]);
  const report = JSON.parse(list.stdout) as {
    simulation: { panes: number };
    cost: { usdPerMonth: number };
    lines: unknown[];
  };
  expect(report.simulation.panes).toBe(1);
  expect(report.lines.length).toBeGreaterThan(20);
  const other = JSON.parse(dear.stdout) as { cost: { usdPerMonth: number } };
  expect(other.cost.usdPerMonth).toBeGreaterThan(report.cost.usdPerMonth * 2);
});

test.each([
  [["--zipf", "x"], /zipf.*number is needed/],
  [["--zipf", "7"], /zipf must be a number from 0 to 3/],
  [["--form", "xml"], /one of batch, array, single/],
  [["--price", "gold=3"], /no price "gold": pubsubTib/],
  [["--assume", "luck=3"], /no coefficient "luck"/],
  [["--price", "x"], /name=number is needed/],
])("%j is a clear error", async (args, message) => {
  const { code, stderr } = await plan(...args);
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/ at .*\.js:/);
});
