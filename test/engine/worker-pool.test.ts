// SPDX-License-Identifier: Apache-2.0
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { workerLog } from "../../engine/worker-log";
import { WorkerPool, type WorkerPoolOptions, type WorkerPoolStatus } from "../../engine/worker-pool";
import { removeFolders, temporaryFolder } from "../io/ports/condition";
import { isAlive, until } from "../servers/processes";
import { ControlServer, PoolClient } from "./control-server";

const log = workerLog({});
log.level = "silent";
const workerModule = join(__dirname, "children", "worker-module.js");
const DEADLINE_MS = 25_000;

interface Setting {
  pool: WorkerPool;
  client: PoolClient;
  runner: ControlServer;
}

async function withPool(options: Partial<WorkerPoolOptions>, use: (setting: Setting) => Promise<void>): Promise<void> {
  const runner = await ControlServer.start();
  const pool = await WorkerPool.start({ host: "127.0.0.1", port: 0, httpPort: 0, maxWorkers: 4, log, ...options });
  const client = new PoolClient(pool.address);
  try {
    await use({ pool, client, runner });
  } finally {
    client.close();
    await pool.close();
    runner.stop();
  }
}

afterAll(removeFolders);

const pidOf = (pool: WorkerPool): number => pool.status().workers[0]!.pid!;

test("StartWorker is answered when the worker is connected, in a process of its own with the flags asked for", async () => {
  const file = join(temporaryFolder(), "module.log");
  const workerSettings = JSON.stringify({ file });
  await withPool({ workerModule, workerSettings, nodeArgs: ["--max-old-space-size=100"] }, async (setting) => {
    const { client, runner, pool } = setting;
    expect(await client.start("1-1", runner.endpoint, { modules: '["viewmill/dist/engine/generate"]' })).toBe("");
    // The pool's answer and the worker's call come by two connections.
    await until("the control channel", () => runner.calls.size > 0, DEADLINE_MS);
    expect([...runner.calls.keys()]).toEqual(["1-1"]);
    expect(pool.status()).toMatchObject({ starts: 1, workers: [{ workerId: "1-1", state: "running" }] });
    expect(pidOf(pool)).not.toBe(process.pid);
    expect(readFileSync(file, "utf8")).toBe(`start ${pidOf(pool)} --max-old-space-size=100\n`);
  });
});

test("StopWorker ends the worker in order: its module closes what it opened, and it is no death", async () => {
  const file = join(temporaryFolder(), "module.log");
  await withPool({ workerModule, workerSettings: JSON.stringify({ file }) }, async ({ client, runner, pool }) => {
    await client.start("1-1", runner.endpoint);
    const pid = pidOf(pool);
    await client.stop("1-1");
    await until("the worker's end", () => pool.status().workers.length === 0, DEADLINE_MS);
    expect(isAlive(pid)).toBe(false);
    expect(pool.status()).toMatchObject({ exits: { "0": 1 }, deaths: 0 });
    expect(readFileSync(file, "utf8")).toContain(`stop ${pid}`);
  });
});

test("a worker ends in order when its runner ends the control channel", async () => {
  await withPool({}, async ({ client, runner, pool }) => {
    await client.start("1-1", runner.endpoint);
    await until("the control channel", () => runner.calls.has("1-1"), DEADLINE_MS);
    runner.calls.get("1-1")?.end();
    await until("the worker's end", () => pool.status().workers.length === 0, DEADLINE_MS);
    expect(pool.status()).toMatchObject({ exits: { "0": 1 }, deaths: 0 });
  });
});

test("a worker whose runner vanished ends", async () => {
  await withPool({}, async ({ client, runner, pool }) => {
    await client.start("1-1", runner.endpoint);
    await until("the control channel", () => runner.calls.has("1-1"), DEADLINE_MS);
    const pid = pidOf(pool);
    runner.stop();
    await until("the worker's end", () => pool.status().workers.length === 0, DEADLINE_MS);
    // The worker ended by itself, in order or with an error, without a signal.
    expect(Object.keys(pool.status().exits)).toEqual([expect.stringMatching(/^[01]$/)]);
    expect(pool.status().refusals).toBe(0);
    expect(isAlive(pid)).toBe(false);
  });
});

interface Request {
  params?: Record<string, string>;
  settings?: object;
  endpoint?: string;
  startTimeoutMs?: number;
}

test.each<[string, Request, string]>([
  ["its module cannot be loaded", { params: { modules: '["viewmill/dist/no/such/module"]' } }, "exit code 1"],
  ["a module is named by a path", { params: { modules: '["../../../etc/passwd"]' } }, "exit code 1"],
  ["its application module fails to start", { settings: { fail: true } }, "exit code 1"],
  ["its runner is not there", { endpoint: "127.0.0.1:1", startTimeoutMs: 5_000 }, "did not connect within|exit code 1"],
])("a runner is told when no worker came of its request: %s", async (_what, request, error) => {
  const { params = {}, settings = {}, endpoint, startTimeoutMs = DEADLINE_MS } = request;
  const workerSettings = JSON.stringify({ file: join(temporaryFolder(), "module.log"), ...settings });
  await withPool({ workerModule, workerSettings, startTimeoutMs }, async ({ client, runner, pool }) => {
    expect(await client.start("1-1", endpoint ?? runner.endpoint, params)).toMatch(new RegExp(error));
    await until("the worker's end", () => pool.status().workers.length === 0, DEADLINE_MS);
    expect(pool.status()).toMatchObject({ refusals: 1, deaths: 1 });
  });
});

test("a worker that is killed while it starts is an error for the runner, not a wait", async () => {
  await withPool({}, async ({ client, runner, pool }) => {
    const answer = client.start("1-1", runner.endpoint);
    await until("the process", () => pool.status().starts === 1, DEADLINE_MS);
    process.kill(pidOf(pool), "SIGKILL");
    expect(await answer).toContain("SIGKILL");
  });
});

test("the number of workers is bounded, and a place that becomes free is given again", async () => {
  await withPool({ maxWorkers: 1 }, async ({ client, runner, pool }) => {
    expect(await client.start("1-1", runner.endpoint)).toBe("");
    expect(await client.start("1-2", runner.endpoint)).toContain("its bound");
    process.kill(pidOf(pool), "SIGKILL");
    await until("the worker's end", () => pool.status().workers.length === 0, DEADLINE_MS);
    expect(await client.start("1-3", runner.endpoint)).toBe("");
    expect(pool.status()).toMatchObject({ exits: { SIGKILL: 1 }, deaths: 1, refusals: 1 });
  });
});

test("a worker whose event loop no longer turns is killed, and one whose loop turns is not", async () => {
  const folder = temporaryFolder();
  const hangWhen = join(folder, "hang");
  const workerSettings = JSON.stringify({ file: join(folder, "module.log"), hangWhen });
  await withPool({ workerModule, workerSettings, unresponsiveMs: 4_000 }, async ({ client, runner, pool }) => {
    await client.start("1-1", runner.endpoint);
    await client.start("1-2", runner.endpoint);
    const [hanging, healthy] = pool.status().workers;
    // Longer than a worker may be silent: a pool that counts from the start, and not from the last sign, kills both.
    await until("signs of life", () => pool.status().workers.every(({ ageMs }) => ageMs > 6_000), DEADLINE_MS);
    expect(pool.status()).toMatchObject({ exits: {}, deaths: 0 });
    writeFileSync(hangWhen, String(hanging!.pid));
    await until("the worker's end", () => pool.status().exits.SIGKILL === 1, DEADLINE_MS);
    expect(pool.status().workers).toMatchObject([{ pid: healthy!.pid, state: "running" }]);
    expect(isAlive(hanging!.pid!)).toBe(false);
  });
});

test("two TaskManagers' workers of one id are two workers, and neither is stopped by the other's request", async () => {
  const other = await ControlServer.start();
  await withPool({}, async ({ client, runner, pool }) => {
    const otherClient = new PoolClient(pool.address);
    await client.start("1-1", runner.endpoint);
    await otherClient.start("1-1", other.endpoint);
    await until("the control channel", () => other.calls.has("1-1"), DEADLINE_MS);
    // The order of Flink: the control channel is closed, the worker ends, and then the request comes.
    other.calls.get("1-1")?.end();
    await until("the other worker's end", () => pool.status().workers.length === 1, DEADLINE_MS);
    await otherClient.stop("1-1");
    expect(pool.status().workers).toMatchObject([{ controlEndpoint: runner.endpoint, state: "running" }]);
    await client.stop("1-1");
    await until("the worker's end", () => pool.status().workers.length === 0, DEADLINE_MS);
    otherClient.close();
  });
  other.stop();
});

test("a pool that closes refuses, ends its workers, and leaves no process", async () => {
  const runner = await ControlServer.start();
  const pool = await WorkerPool.start({ host: "127.0.0.1", port: 0, httpPort: 0, maxWorkers: 4, log });
  const client = new PoolClient(pool.address);
  await client.start("1-1", runner.endpoint);
  const pid = pidOf(pool);
  expect((await fetch(`${pool.httpUrl}/healthz`)).status).toBe(200);
  const status = (await (await fetch(`${pool.httpUrl}/status`)).json()) as WorkerPoolStatus;
  expect(status.workers).toMatchObject([{ workerId: "1-1", pid }]);
  await pool.close();
  expect(isAlive(pid)).toBe(false);
  await expect(client.start("1-2", runner.endpoint)).rejects.toThrow(/UNAVAILABLE|CANCELLED/);
  client.close();
  runner.stop();
});

test("workers end with a pool that is killed", async () => {
  const runner = await ControlServer.start();
  const child = spawn(process.execPath, [join(__dirname, "children", "pool.js")], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const line = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
  const { address, httpUrl } = JSON.parse(line) as { address: string; httpUrl: string };
  const client = new PoolClient(address);
  await client.start("1-1", runner.endpoint);
  const status = (await (await fetch(`${httpUrl}/status`)).json()) as WorkerPoolStatus;
  const pid = status.workers[0]!.pid!;
  expect(isAlive(pid)).toBe(true);
  child.kill("SIGKILL");
  await until("the worker's end", () => !isAlive(pid), DEADLINE_MS);
  client.close();
  runner.stop();
});
