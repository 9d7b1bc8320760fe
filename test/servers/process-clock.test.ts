// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ProcessClock } from "../../servers";

const HOUR_MS = 3_600_000;
/** Tells its time whenever it is asked. */
const TELLS = `process.stdin.on("data", () => console.log(JSON.stringify({
  now: Date.now(), made: new Date().getTime(), given: new Date(5).getTime(), is: new Date() instanceof Date, utc: Date.UTC(1970, 0, 2),
})));`;

describe("a process that goes by a ProcessClock", () => {
  let folder = "";
  let child: ChildProcess;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-clock-"));
  });
  afterEach(() => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  it("is as far ahead of the machine as the clock says, from the moment it is moved on", {
    timeout: 60_000,
  }, async () => {
    const clock = new ProcessClock(join(folder, "clock"));
    clock.advance(HOUR_MS);
    child = spawn(process.execPath, ["-e", TELLS], { env: { ...process.env, ...clock.environment } });
    const lines = createInterface({ input: child.stdout! });
    const told = async () => {
      child.stdin!.write("?\n");
      const [line] = (await once(lines, "line")) as [string];
      return JSON.parse(line) as { now: number; made: number; given: number; is: boolean; utc: number };
    };
    const aheadMs = async () => (await told()).now - Date.now();
    expect(Math.abs((await aheadMs()) - HOUR_MS)).toBeLessThan(HOUR_MS / 2);
    const { now, made, given, is, utc } = await told();
    expect(Math.abs(now - made)).toBeLessThan(10_000);
    expect({ given, is, utc }).toEqual({ given: 5, is: true, utc: 24 * HOUR_MS });
    clock.advance(4 * HOUR_MS);
    await vi.waitFor(async () => expect(Math.abs((await aheadMs()) - 5 * HOUR_MS)).toBeLessThan(HOUR_MS / 2), {
      interval: 20,
      timeout: 30_000,
    });
    expect(Math.abs(clock.now() - Date.now() - 5 * HOUR_MS)).toBeLessThan(10_000);
  });
});
