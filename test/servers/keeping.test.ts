// SPDX-License-Identifier: Apache-2.0
/**
 * The promises about the servers whatever happens to the process that uses them: no process is left, and nothing is
 * half installed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startGcsEmulator } from "../../servers";
import { spawnKept } from "../../servers/kept";
import { inNewFolder, ServerProcess } from "../../servers/server-process";
import { isAlive, temporaryFolders, until } from "./processes";
import { COLD_START_MS, describeWithServers } from "./with-servers";

let folder: string;
const children: ChildProcess[] = [];

function child(
  script: string,
  args: readonly string[],
  env: Record<string, string> = {},
): { process: ChildProcess; lines: string[] } {
  const started = spawn(process.execPath, [join(__dirname, "children", `${script}.js`), ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(started);
  const lines: string[] = [];
  createInterface({ input: started.stdout! }).on("line", (line) => lines.push(line));
  return { process: started, lines };
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-keeping-"));
});
afterEach(() => {
  for (const each of children.splice(0)) each.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

describeWithServers("a server whose owner is killed", ["gcs"], () => {
  test.each(["SIGKILL", "SIGINT", "SIGTERM"] as const)(
    "ends, and its folder goes away: %s",
    async (signal) => {
      const owner = child("own-servers", []);
      await until("the server is up", () => owner.lines.length > 0, COLD_START_MS);
      const [pid, serverFolder] = owner.lines[0]!.split(" ");
      expect([isAlive(Number(pid)), existsSync(serverFolder!)]).toEqual([true, true]);
      owner.process.kill(signal);
      await until("the server is gone", () => !isAlive(Number(pid)));
      await until("its folder is gone", () => !existsSync(serverFolder!));
      const next = await startGcsEmulator();
      await next.stop();
    },
    COLD_START_MS,
  );
});

describe("a process that is kept", () => {
  const run = (script: string) =>
    spawnKept("/bin/sh", ["-c", script], { cwd: folder, env: process.env, logFile: join(folder, "log") });

  test("takes along what it started", async () => {
    const running = await run("sleep 600 & echo $! > inner; wait");
    await until(
      "it has started another",
      () => existsSync(join(folder, "inner")) && readdirSync(folder).includes("inner"),
    );
    const inner = await readPid(join(folder, "inner"));
    process.kill(running.pid, "SIGKILL");
    expect(await running.ended).toBe("SIGKILL");
    await until("both are gone", () => !isAlive(inner));
  });

  test("says how it ended", async () => {
    expect(await (await run("exit 3")).ended).toBe("exit status 3");
  });
});

async function readPid(file: string): Promise<number> {
  const { readFileSync } = await import("node:fs");
  await until("the number is written", () => readFileSync(file, "utf8").endsWith("\n"));
  return Number(readFileSync(file, "utf8"));
}

describe("a server that does not come up", () => {
  const failing = (script: string, startDeadlineMs: number) =>
    inNewFolder("failing", async (place, started) => {
      const server = new ServerProcess({
        name: "failing",
        command: "/bin/sh",
        args: ["-c", script],
        folder: place,
        answers: async () => false,
        startDeadlineMs,
      });
      started.push(server);
      await server.start();
    });

  test("is an error with the last of its log, and leaves no folder", async () => {
    const before = temporaryFolders("viewmill-failing-");
    await expect(failing("echo the reason; exit 7", 10_000)).rejects.toThrow(/exit status 7[\s\S]*the reason/);
    expect(temporaryFolders("viewmill-failing-")).toEqual(before);
  });

  test("is ended at its deadline", async () => {
    await expect(failing(`echo $$ > ${join(folder, "pid")}; exec sleep 600`, 300)).rejects.toThrow(
      /not up within 300 ms/,
    );
    expect(isAlive(await readPid(join(folder, "pid")))).toBe(false);
  });

  test("is tried on other ports when somebody took one", async () => {
    const count = join(folder, "count");
    await expect(failing(`echo x >> ${count}; echo Address already in use; exit 1`, 10_000)).rejects.toThrow(/in use/);
    const { readFileSync } = await import("node:fs");
    expect(readFileSync(count, "utf8")).toBe("x\nx\nx\n");
  });
});

describe("the cache", () => {
  const cache = () => ({ VIEWMILL_CACHE: join(folder, "cache") });
  const install = (gate: string) => child("install", ["thing", join(folder, gate)], cache());
  const things = () => readdirSync(join(folder, "cache")).filter((name) => name.startsWith("thing"));

  test("two that install at once: one builds, the other waits and finds it", async () => {
    const both = [install("gate"), install("gate")];
    await until("one builds", () => both.some(({ lines }) => lines.includes("building")));
    writeFileSync(join(folder, "gate"), "");
    await until("both have it", () => both.every(({ lines }) => lines.some((line) => line.includes("/thing-1-"))));
    expect(both.flatMap(({ lines }) => lines).filter((line) => line === "building")).toHaveLength(1);
    expect(things()).toHaveLength(1);
    expect(readdirSync(join(folder, "cache", things()[0]!)).sort()).toEqual(["half", "whole"]);
  });

  test("an installer that is killed leaves no half and holds up nobody", async () => {
    mkdirSync(join(folder, "cache"));
    const killed = install("never");
    await until("it builds", () => killed.lines.includes("building"));
    killed.process.kill("SIGKILL");
    writeFileSync(join(folder, "gate"), "");
    const next = install("gate");
    await until("the next has it", () => next.lines.length === 2);
    await until("only the whole one is there", () => things().length === 1);
    expect(existsSync(join(next.lines[1]!, "whole"))).toBe(true);
  });
});
