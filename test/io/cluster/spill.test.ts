// SPDX-License-Identifier: Apache-2.0
/**
 * A log that is away: what is accepted meanwhile is on this disk, in its order, and in the log when that is back. The
 * logs are the embedded adapter.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { AccountedLog } from "../../../io/cluster/accounted-log";
import { SpillLog } from "../../../io/cluster/spill-log";
import { type EventLog, type LogBatch, LogFullError, StoreUnavailableError } from "../../../io/ports";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { until } from "../../system/end-to-end/service";
import { removeFolders, temporaryFolder } from "../ports/condition";
import { numberOf, spillBatch } from "./spill-batch";

vi.setConfig({ testTimeout: 120_000 });
afterEach(removeFolders);

/** The shared log behind a door that a test closes: away, or taking without an answer. */
class Door implements EventLog {
  state: "open" | "away" | "hangs" = "open";
  /** The numbers of batches that fail once. */
  readonly fails = new Set<number>();
  /** What the log takes for each append. */
  latencyMs = 0;
  readonly #hanging: (() => void)[] = [];

  constructor(readonly log: SqliteEventLog) {}

  async append(batch: LogBatch): Promise<unknown> {
    if (this.state === "away") throw new StoreUnavailableError("the log is away");
    if (this.fails.delete(numberOf(batch.payload))) throw new StoreUnavailableError("the log is away");
    if (this.state === "hangs") await new Promise<void>((resolve) => this.#hanging.push(resolve));
    if (this.latencyMs > 0) await setTimeout(this.latencyMs);
    return this.log.append(batch);
  }

  async ping(): Promise<void> {
    if (this.state !== "open") throw new StoreUnavailableError("the log is away");
  }

  open(): void {
    this.state = "open";
    for (const go of this.#hanging.splice(0)) go();
  }

  close(): Promise<void> {
    return this.log.close();
  }

  async numbers(): Promise<number[]> {
    return (await this.log.read(0, 100_000, 64 << 20)).map(({ payload }) => numberOf(payload));
  }
}

async function opened(options: { folder?: string; maxBacklogBytes?: number; patienceMs?: number } = {}) {
  const { folder = temporaryFolder(), patienceMs = 5_000, ...bounds } = options;
  const door = new Door(await SqliteEventLog.open({ folder: temporaryFolder() }));
  const queue = await SqliteEventLog.open({ folder, ...bounds });
  const log = await SpillLog.open({ log: door, queue, patienceMs });
  return { door, log, folder };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

it("goes straight to the log while that answers; while it is away, to the disk, and from there in order", async () => {
  const { door, log } = await opened();
  expect(await log.append(spillBatch(0))).toEqual({ spilled: false });
  door.state = "away";
  for (const n of range(1, 20)) expect(await log.append(spillBatch(n))).toEqual({ spilled: true });
  expect((await log.waiting())?.bytes).toBeGreaterThan(0);
  await log.ping();
  expect(await door.numbers()).toEqual([0]);
  door.open();
  await until("what waited is in the log", async () => (await log.waiting()) === undefined);
  expect(await door.numbers()).toEqual(range(0, 20));
  await until("appends go straight again", async () => (await log.append(spillBatch(20))).spilled === false);
  await log.close();
});

it("a log that takes and does not answer is away: nobody waits for it, and no batch is missing when it is back", async () => {
  const { door, log } = await opened({ patienceMs: 50 });
  door.state = "hangs";
  for (const n of range(0, 5)) expect(await log.append(spillBatch(n))).toEqual({ spilled: true });
  door.open();
  await until("what waited is in the log", async () => (await log.waiting()) === undefined);
  expect(new Set(await door.numbers())).toEqual(new Set(range(0, 5)));
  await log.close();
});

it("goes straight again while many send: what waits is sent faster than new batches come behind it", async () => {
  const { door, log } = await opened();
  door.state = "away";
  for (const n of range(0, 300)) await log.append(spillBatch(n));
  door.latencyMs = 5;
  door.open();
  let next = 300;
  const sendUntilStraight = async () => {
    for (;;) if (!(await log.append(spillBatch(next++))).spilled) return true;
  };
  const senders = Promise.all(Array.from({ length: 8 }, sendUntilStraight));
  await until("every sender's batches go straight", () => senders);
  await until("nothing waits", async () => (await log.waiting()) === undefined);
  const numbers = await door.numbers();
  expect(numbers.toSorted((a, b) => a - b)).toEqual(range(0, next));
  expect(numbers.slice(0, 300)).toEqual(range(0, 300));
  await log.close();
});

it("holds nobody back for longer than its patience where the log is slow to take the last ones", async () => {
  const { door, log } = await opened({ patienceMs: 50 });
  door.state = "away";
  for (const n of range(0, 3)) await log.append(spillBatch(n));
  door.state = "hangs";
  for (const n of range(3, 40)) expect(await log.append(spillBatch(n))).toEqual({ spilled: true });
  door.open();
  await until("what waited is in the log", async () => (await log.waiting()) === undefined);
  expect(new Set(await door.numbers())).toEqual(new Set(range(0, 40)));
  await log.close();
});

it("sends a batch that failed again, and not those behind it that did not", async () => {
  const { door, log } = await opened();
  door.state = "away";
  for (const n of range(0, 20)) await log.append(spillBatch(n));
  door.fails.add(7);
  door.open();
  await until("nothing waits", async () => (await log.waiting()) === undefined);
  const numbers = await door.numbers();
  expect(numbers.toSorted((a, b) => a - b)).toEqual(range(0, 20));
  expect(door.fails.size).toBe(0);
  await log.close();
});

it("refuses when the disk's bound is reached, and takes again when there is room", async () => {
  const size = spillBatch(0).payload.byteLength;
  const { door, log } = await opened({ maxBacklogBytes: Math.ceil(size * 3.5) });
  door.state = "away";
  for (const n of range(0, 3)) await log.append(spillBatch(n));
  await expect(log.append(spillBatch(3))).rejects.toThrow(LogFullError);
  door.open();
  await until("there is room again", () => log.append(spillBatch(3)).then(() => true));
  await until("in the log", async () => (await door.numbers()).length === 4);
  expect(await door.numbers()).toEqual(range(0, 4));
  await log.close();
});

it("what was acknowledged survives kill -9, and the next process sends it first", async () => {
  const folder = temporaryFolder();
  const child = spawn(process.execPath, [join(__dirname, "spill-child.js"), folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let told = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  await until("some batches are acknowledged", () => told.split("\n").length > 30);
  child.kill("SIGKILL");
  await once(child, "close");
  const acknowledged = told.split("\n").slice(0, -1).length;
  const { door, log } = await opened({ folder });
  await log.append(spillBatch(100_000));
  await until("all is in the log", async () => (await door.numbers()).includes(100_000));
  const numbers = await door.numbers();
  expect(numbers.slice(0, acknowledged)).toEqual(range(0, acknowledged));
  expect(numbers.at(-1)).toBe(100_000);
  expect(new Set(numbers).size).toBe(numbers.length);
  await log.close();
});

it("however the log comes and goes, every acknowledged batch is in it in the end, one writer's in order", async () => {
  const steps = fc.array(fc.constantFrom("append", "append", "append", "away", "back"), {
    minLength: 5,
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const { door, log } = await opened();
      let next = 0;
      for (const step of script) {
        if (step === "append") await log.append(spillBatch(next++));
        else if (step === "away") door.state = "away";
        else door.open();
      }
      door.open();
      await until("nothing waits", async () => (await log.waiting()) === undefined);
      const numbers = await door.numbers();
      expect(numbers).toEqual(range(0, next));
      await log.close();
    }),
    { numRuns: 4 },
  );
});

it("a spilled batch is in the ledger's account before it is acknowledged, so that completeThrough waits for it", async () => {
  const ledger = new SqliteLedger({ folder: temporaryFolder() });
  const { door, log } = await opened();
  const accounted = new AccountedLog(log, { ledger, clock: Date.now, intervalMs: 3_600_000 });
  door.state = "away";
  const batch = spillBatch(7);
  const [minute] = [...batch.acceptedByMinute.keys()];
  await accounted.append(batch);
  expect((await ledger.openMinutes(10)).map((open) => open.minute)).toEqual([minute]);
  expect((await ledger.books(minute!, minute! + 1))[0]).toMatchObject({ promised: 1 });
  await Promise.all(range(8, 30).map((n) => accounted.append(spillBatch(n))));
  expect(await ledger.openMinutes(100)).toHaveLength(23);
  await accounted.close();
  await ledger.close();
});
