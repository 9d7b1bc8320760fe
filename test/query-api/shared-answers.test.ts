// SPDX-License-Identifier: Apache-2.0
/** Answers that instances share through Debian's Redis: right and never too old, whatever happens to Redis. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "@redis/client";
import { RedisAnswers } from "../../io/redis/shared-answers";
import { text } from "../../query-api/answer";
import { AnswerCache } from "../../query-api/answer-cache";
import { debianProgram } from "../../servers";
import { describeWithPrograms, PROGRAMS_START_MS } from "../programs";
import { until } from "../until";

const KEPT_MS = 250;
/** What every shared answer's Cache-Control says. */
const MAX_AGE_MS = 1_000;
const DEADLINE_MS = 50;
const TEST_MS = 120_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Debian's redis-server on a port that stays its own. */
class Redis {
  #process: ChildProcess | undefined;

  constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  async start(): Promise<void> {
    const flags = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.folder, "--save", ""];
    this.#process = spawn(await debianProgram("redis-server"), flags, { stdio: "ignore" });
    await until("Redis answers", () => this.ask("PING"));
  }

  async kill(): Promise<void> {
    if (this.#process === undefined) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
    this.#process = undefined;
  }

  /** Stops the process without ending it: its connections stay, and nothing is answered. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async ask(...command: string[]): Promise<unknown> {
    const client = createClient({ url: `redis://127.0.0.1:${this.port}`, socket: { reconnectStrategy: false } });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return await client.sendCommand(command);
    } finally {
      client.destroy();
    }
  }
}

describeWithPrograms("answers are shared through Redis", ["redis-server"], () => {
  let folder: string;
  let redis: Redis;
  const instances: Instance[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-redis-"));
    redis = new Redis(await freePort(), folder);
    await debianProgram("redis-server");
  }, PROGRAMS_START_MS);
  beforeEach(() => redis.start());
  afterEach(async () => {
    for (const instance of instances.splice(0)) await instance.close();
    redis.thaw();
    await redis.kill();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A counter that grows all the time: its value says when it was read. */
  class Instance {
    reads = 0;
    readonly troubles: (string | undefined)[] = [];
    readonly #redis: RedisAnswers;
    readonly #cache: AnswerCache;

    constructor(prefix = "one:") {
      this.#redis = new RedisAnswers({
        url: `redis://127.0.0.1:${redis.port}`,
        prefix,
        deadlineMs: DEADLINE_MS,
        onChange: (trouble) => void this.troubles.push(trouble?.message),
      });
      this.#cache = new AnswerCache({ maxBytes: 1e6, keptMs: KEPT_MS, shared: this.#redis });
      instances.push(this);
    }

    /** How old the value is, and what its Age says. The truth is the one clock of this process. */
    async ask(key: string, padding = ""): Promise<{ oldMs: number; ageMs: number }> {
      const answer = await this.#cache.ask(key, async () => {
        this.reads++;
        return text("text/plain", `${performance.now()} ${padding}`, "public, max-age=1");
      });
      if (answer.kind !== "content") throw new Error("a content is wanted");
      const oldMs = performance.now() - Number.parseFloat(answer.body);
      return { oldMs, ageMs: Number(answer.headers?.Age ?? 0) * 1_000 };
    }

    async connected(): Promise<void> {
      await until("the instance reaches Redis", async () => (await this.#redis.find("-")).since !== undefined);
    }

    close(): Promise<void> {
      return this.#redis.close();
    }
  }

  async function two(): Promise<[Instance, Instance]> {
    const pair: [Instance, Instance] = [new Instance(), new Instance()];
    for (const instance of pair) await instance.connected();
    return pair;
  }

  it("what one instance has read another finds, with its age, and not for longer", { timeout: TEST_MS }, async () => {
    const [a, b] = await two();
    const other = new Instance("other:");
    await other.connected();
    await until("b finds what a has read", async () => {
      const key = `v${a.reads}`;
      const before = b.reads;
      expect((await a.ask(key)).ageMs).toBe(0);
      await until("it is kept", async () => (await redis.ask("EXISTS", `one:${key}`)) === 1, 1_000).catch(() => {});
      return (await b.ask(key)).ageMs === 1_000 && b.reads === before;
    });
    const reads = other.reads;
    await other.ask("v0");
    expect(other.reads).toBe(reads + 1);
    await until("nothing is left in Redis", async () => (await redis.ask("DBSIZE")) === 0);
  });

  it("Redis vanishes and comes back empty: answers go on, and are shared again", { timeout: TEST_MS }, async () => {
    const [a, b] = await two();
    await redis.kill();
    for (let n = 0; n < 20; n++) expect((await a.ask(`gone-${n}`)).oldMs).toBeLessThan(MAX_AGE_MS);
    expect(a.reads).toBe(20);
    await until("a says so", () => a.troubles.length === 1);
    await redis.start();
    for (const instance of [a, b]) await instance.connected();
    expect(a.troubles).toHaveLength(2);
    await until("answers are shared again", async () => {
      const [before, key] = [b.reads, `again-${b.reads}-${a.reads}`];
      await a.ask(key);
      await b.ask(key);
      return b.reads === before;
    });
  });

  it("a full Redis refuses what is to be kept, and costs nothing but sharing", { timeout: TEST_MS }, async () => {
    const [a, b] = await two();
    await redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction");
    await redis.ask("CONFIG", "SET", "maxmemory", "1");
    for (const instance of [a, b]) expect((await instance.ask("full", "x".repeat(10_000))).oldMs).toBeLessThan(500);
    expect([a.reads, b.reads]).toEqual([1, 1]);
    await until("a was refused", async () => {
      expect((await a.ask(`full-${a.reads}`, "x".repeat(10_000))).oldMs).toBeLessThan(MAX_AGE_MS);
      return a.troubles.some((trouble = "") => trouble.includes("OOM"));
    });
  });

  it("what a frozen Redis keeps late is as old as it is", { timeout: TEST_MS }, async () => {
    const [a, b] = await two();
    const { since } = await new RedisFinder(redis.port).find();
    redis.freeze();
    const started = performance.now();
    await a.ask("slow");
    // Neither waits for Redis: once for the deadline, then not at all.
    for (let n = 0; n < 20; n++) await b.ask(`slow-${n}`);
    expect(b.reads).toBe(20);
    await pause(KEPT_MS);
    redis.thaw();
    await until("it answers again", () => redis.ask("PING"));
    const late = new RedisFinder(redis.port);
    late.keepAt("late", since!);
    const found = await until("it is kept", async () => {
      const one = await late.find("late");
      return one.text === undefined ? undefined : one;
    });
    // Redis got it after its time, and says its whole age.
    expect(found.ageMs).toBeGreaterThanOrEqual(performance.now() - started - 1_000);
    expect(found.ageMs).toBeGreaterThan(KEPT_MS);
    await late.close();
  });

  it("no answer is older than its Cache-Control says, through all of it", { timeout: TEST_MS }, async () => {
    const [a, b] = await two();
    let isOver = false;
    let answers = 0;
    const reader = async (instance: Instance) => {
      while (!isOver) {
        const { oldMs, ageMs } = await instance.ask("viral");
        expect(oldMs).toBeLessThan(MAX_AGE_MS);
        expect(oldMs - ageMs).toBeLessThan(MAX_AGE_MS / 2);
        answers++;
        await pause(3);
      }
    };
    const readers = Promise.all([reader(a), reader(b), reader(a)]);
    const faults = async () => {
      for (let round = 0; round < 2; round++) {
        await pause(300);
        redis.freeze();
        await pause(300);
        redis.thaw();
        await pause(300);
        await redis.kill();
        await pause(200);
        await redis.start();
      }
      isOver = true;
    };
    await Promise.all([readers, faults()]);
    expect(answers).toBeGreaterThan(100);
    // Far fewer than answers: nearly all were shared.
    expect(a.reads + b.reads).toBeLessThan(answers / 2);
  });

  /** The port of one instance by itself. */
  class RedisFinder {
    readonly #answers: RedisAnswers;

    constructor(port: number) {
      this.#answers = new RedisAnswers({ url: `redis://127.0.0.1:${port}`, prefix: "one:", deadlineMs: 10_000 });
    }

    find(key = "-") {
      return until("Redis is reached", async () => {
        const found = await this.#answers.find(key);
        return found.since === undefined ? undefined : found;
      });
    }

    keepAt(key: string, since: number): void {
      void this.find().then(() => this.#answers.keep(key, "kept late", since, 10_000));
    }

    close(): Promise<void> {
      return this.#answers.close();
    }
  }
});
