// SPDX-License-Identifier: Apache-2.0
/**
 * The counting graph pane by pane, in process: elements arrive, the watermark and the processing time move, and each
 * pane of a minute says what it counts. The graph is the one of the streaming job, from the payloads of the log on.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { provideResource, withdrawResource } from "../../engine";
import { encodeBatch } from "../../io/formats/avro/batch";
import { countLog, type LogCounting } from "../../pipelines/stream/count-log";
import type { ShardCounts } from "../../transforms/elements";
import { messagesOfPubSub } from "../../transforms/messages-of-log";
import type { MinuteWindowing } from "../../transforms/minute-windowing";
import { RESOURCES } from "../../transforms/resource-names";
import { cellsOf, columnsOf, T0 } from "../domain/model";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { openStores, type Stores } from "../system/golden/embedded-runner";
import { storedCells } from "../system/golden/outcome";
import { event } from "../transforms/elements";
import { EventTimeRun } from "./event-time-run";

const SECOND_MS = 1_000;
const MINUTE = minuteOf(T0);
/** The moment of event time so many minutes and seconds after T0, which is 10:00. */
const at = (minutes: number, seconds = 0) => T0 + minutes * 60_000 + seconds * SECOND_MS;

const WINDOWING: MinuteWindowing = {
  graceMs: 0,
  earlyFiringMs: 10 * SECOND_MS,
  lateFiringMs: 5 * SECOND_MS,
  keptMs: 3_600_000,
};
const COUNTING: LogCounting["counting"] = {
  dedupePartitions: 1,
  videoShards: 1,
  allowedLatenessMs: -1,
  followCorrections: false,
  paneCache: "",
  writtenCells: "",
  windowing: WINDOWING,
};

const shared = emptiedStores();
let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-panes-"));
  stores = await openStores(folder, await shared());
  provideResource(RESOURCES.counterStore, stores.counters);
  provideResource(RESOURCES.ledger, stores.ledger);
  provideResource(RESOURCES.deadLetters, stores.deadLetters);
});
afterEach(async () => {
  for (const name of [RESOURCES.counterStore, RESOURCES.ledger, RESOURCES.deadLetters]) withdrawResource(name);
  await stores.close();
  rmSync(folder, { recursive: true });
});

class CountingRun {
  private constructor(private readonly run: EventTimeRun) {}

  static async start(
    windowing: Partial<MinuteWindowing> = {},
    counting: Partial<LogCounting["counting"]> = {},
  ): Promise<CountingRun> {
    const options = { ...COUNTING, ...counting, windowing: { ...WINDOWING, ...windowing } };
    return new CountingRun(
      await EventTimeRun.start(
        (payloads) => countLog(messagesOfPubSub(payloads), { counting: options }),
        "CountPerVideo",
      ),
    );
  }

  /** One message of the log with these events, received at that time. */
  async receive(receivedAtMs: number, ...events: VideoEvent[]): Promise<void> {
    const value = encodeBatch(columnsOf(events), { receivedAtMs, producerId: "ingest", batchId: "" });
    await this.run.addElements({ value, timestampMs: receivedAtMs });
  }

  watermark(ms: number): Promise<void> {
    return this.run.advanceWatermarkTo(ms);
  }

  /** Processing time passes, second by second: a pane of the first GroupByKey starts the timer of the second. */
  async wait(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += SECOND_MS) await this.run.advanceProcessingTime(SECOND_MS);
  }

  get dropped(): number {
    return this.run.droppedDueToLateness;
  }

  /** Returns the output of CountPerVideo since the last call: `10:00 ON_TIME 0: v VIEW 2, received 3`. */
  panes(): string[] {
    return this.run.take().map(({ value, pane }) => {
      const { counts, books } = value as ShardCounts;
      const cells = [...cellsOf([counts])].map(([name, { count }]) => `${name.replace(/^\d+ /, "")} ${count}`).sort();
      const minute = new Date(counts.minute * 60_000).toISOString().slice(11, 16);
      const last = pane.isLast ? " last" : "";
      return `${minute} ${pane.timing} ${pane.index}${last}: ${cells.join(", ")}, received ${books!.received}`;
    });
  }
}

/** The minute cells of the counter store, `10:00 v VIEW` -> count. */
async function counters(): Promise<Record<string, number>> {
  const { minutes } = await storedCells(stores.counters);
  const named = (name: string) => name.replace(/^\d+/, (ms) => new Date(Number(ms)).toISOString().slice(11, 16));
  return Object.fromEntries([...minutes].map(([name, { count }]) => [named(name), count]));
}

const [a, b, c, d] = [
  event("a", { eventTimeMs: at(0, 1) }),
  event("b", { eventTimeMs: at(0, 20) }),
  event("c", { eventTimeMs: at(0, 40) }),
  event("d", { eventTimeMs: at(0, 59), eventType: "LIKE" }),
];

describe("early panes", () => {
  test("an early pane counts the open minute, and the next one holds all events so far", async () => {
    const run = await CountingRun.start();
    await run.watermark(at(0));
    await run.receive(at(0, 2), a!, a!);
    expect(run.panes()).toEqual([]);
    // Two GroupByKeys, so two delays.
    await run.wait(20 * SECOND_MS);
    expect(run.panes()).toEqual(["10:00 EARLY 0: v VIEW 1, received 2"]);
    expect(await counters()).toEqual({ "10:00 v VIEW": 1 });
    await run.receive(at(0, 21), b!);
    await run.wait(20 * SECOND_MS);
    expect(run.panes()).toEqual(["10:00 EARLY 1: v VIEW 2, received 3"]);
    expect(await counters()).toEqual({ "10:00 v VIEW": 2 });
  });

  test("without early firings the open minute waits for the watermark, however long that stands still", async () => {
    const run = await CountingRun.start({ earlyFiringMs: 0 });
    await run.watermark(at(0));
    await run.receive(at(0, 2), a!);
    await run.wait(300 * SECOND_MS);
    expect(run.panes()).toEqual([]);
    await run.watermark(at(1));
    expect(run.panes()).toEqual(["10:00 ON_TIME 0: v VIEW 1, received 1"]);
  });

  test("a minute without events fires no pane", async () => {
    const run = await CountingRun.start();
    await run.receive(at(2, 1), event("x", { eventTimeMs: at(2) }));
    await run.watermark(at(3));
    await run.wait(60 * SECOND_MS);
    expect(run.panes()).toEqual(["10:02 ON_TIME 0: v VIEW 1, received 1"]);
  });
});

describe("the on-time pane", () => {
  test("fires when the watermark passes the end of the minute, at once, with the events of all early panes", async () => {
    const run = await CountingRun.start();
    await run.receive(at(0, 2), a!);
    await run.wait(20 * SECOND_MS);
    await run.receive(at(0, 41), b!, c!, d!);
    await run.watermark(at(1) - 1);
    expect(run.panes()).toEqual(["10:00 EARLY 0: v VIEW 1, received 1"]);
    await run.watermark(at(1));
    expect(run.panes()).toEqual(["10:00 ON_TIME 1: v LIKE 1, v VIEW 3, received 4"]);
    expect(await counters()).toEqual({ "10:00 v LIKE": 1, "10:00 v VIEW": 3 });
  });

  test("does not fire where the early panes have counted everything", async () => {
    const run = await CountingRun.start();
    await run.receive(at(0, 2), a!);
    await run.wait(20 * SECOND_MS);
    expect(run.panes()).toEqual(["10:00 EARLY 0: v VIEW 1, received 1"]);
    await run.watermark(at(1));
    await run.wait(60 * SECOND_MS);
    expect(run.panes()).toEqual([]);
  });

  test("waits for the grace: events that arrive within it are on time and cost no second pane", async () => {
    const run = await CountingRun.start({ graceMs: 5 * SECOND_MS });
    await run.receive(at(0, 2), a!);
    await run.watermark(at(1));
    await run.receive(at(1, 2), b!);
    await run.watermark(at(1, 5) - 1);
    expect(run.panes()).toEqual([]);
    await run.watermark(at(1, 5));
    expect(run.panes()).toEqual(["10:00 ON_TIME 0: v VIEW 2, received 2"]);
    await run.wait(60 * SECOND_MS);
    expect(run.panes()).toEqual([]);
  });

  test("of a minute has nothing of the next one, of which a message may hold events as well", async () => {
    const run = await CountingRun.start();
    await run.receive(at(1, 1), a!, event("x", { eventTimeMs: at(1) }));
    await run.watermark(at(1));
    expect(run.panes()).toEqual(["10:00 ON_TIME 0: v VIEW 1, received 1"]);
    await run.watermark(at(2));
    expect(run.panes()).toEqual(["10:01 ON_TIME 0: v VIEW 1, received 1"]);
  });

  test("adds up the on-time panes of all dedup partitions, by video shard", async () => {
    const run = await CountingRun.start({}, { dedupePartitions: 3, videoShards: 2 });
    const events = Array.from({ length: 60 }, (_, n) => event(`e${n}`, { videoId: `v${n % 4}` }));
    await run.receive(at(0, 2), ...events, ...events.slice(0, 9));
    await run.watermark(at(1));
    const panes = run.panes();
    expect(panes).toHaveLength(2);
    expect(panes.every((pane) => pane.startsWith("10:00 ON_TIME 0: "))).toBe(true);
    const each = { "10:00 v0 VIEW": 15, "10:00 v1 VIEW": 15, "10:00 v2 VIEW": 15, "10:00 v3 VIEW": 15 };
    expect(await counters()).toEqual(each);
    expect(await stores.ledger.books(MINUTE, MINUTE + 1)).toMatchObject([{ counted: 60, duplicate: 9 }]);
  });
});

describe("late panes", () => {
  test("a late element waits for others, and the late pane holds the whole minute again", async () => {
    const run = await CountingRun.start();
    await run.receive(at(0, 2), a!);
    await run.watermark(at(1));
    expect(run.panes()).toEqual(["10:00 ON_TIME 0: v VIEW 1, received 1"]);
    await run.watermark(at(2));
    await run.receive(at(2, 1), b!);
    await run.wait(4 * SECOND_MS);
    await run.receive(at(2, 4), c!);
    expect(run.panes()).toEqual([]);
    await run.wait(6 * SECOND_MS);
    expect(run.panes()).toEqual(["10:00 LATE 1: v VIEW 3, received 3"]);
    expect(await counters()).toEqual({ "10:00 v VIEW": 3 });
  });

  test("a repeat of a counted event in a late pane is a duplicate: the count stays", async () => {
    const run = await CountingRun.start();
    await run.receive(at(0, 2), a!, b!);
    await run.watermark(at(2));
    await run.receive(at(2, 1), b!, a!);
    await run.wait(10 * SECOND_MS);
    expect(run.panes()).toEqual(["10:00 ON_TIME 0: v VIEW 2, received 2", "10:00 LATE 1: v VIEW 2, received 4"]);
    expect(await counters()).toEqual({ "10:00 v VIEW": 2 });
    expect(await stores.ledger.books(MINUTE, MINUTE + 1)).toMatchObject([{ counted: 2, duplicate: 2 }]);
  });

  test("the first pane of a minute that has long ended is late, and waits for nothing", async () => {
    const run = await CountingRun.start();
    await run.watermark(at(5));
    await run.receive(at(5, 1), a!);
    expect(run.panes()).toEqual(["10:00 LATE 0: v VIEW 1, received 1"]);
  });

  test("a late pane of one dedup partition keeps what the other partitions have counted", async () => {
    const run = await CountingRun.start({}, { dedupePartitions: 3 });
    const events = Array.from({ length: 60 }, (_, n) => event(`e${n}`));
    await run.receive(at(0, 2), ...events);
    await run.watermark(at(1));
    await run.receive(at(1, 1), event("late"));
    await run.wait(10 * SECOND_MS);
    expect(run.panes()).toEqual(["10:00 ON_TIME 0: v VIEW 60, received 60", "10:00 LATE 1: v VIEW 61, received 61"]);
  });
});

describe("the end of a minute", () => {
  test("elements that still wait when the allowed lateness is over are in the last pane", async () => {
    const run = await CountingRun.start({ keptMs: 120 * SECOND_MS });
    await run.receive(at(0, 2), a!);
    await run.watermark(at(1));
    await run.receive(at(1, 1), b!);
    await run.watermark(at(3));
    expect(run.panes()).toEqual(["10:00 ON_TIME 0: v VIEW 1, received 1", "10:00 LATE 1 last: v VIEW 2, received 2"]);
    expect(await counters()).toEqual({ "10:00 v VIEW": 2 });
  });

  test("the runner drops what arrives after the allowed lateness, and the counters stay", async () => {
    const run = await CountingRun.start({ keptMs: 120 * SECOND_MS });
    await run.receive(at(0, 2), a!);
    await run.watermark(at(3));
    run.panes();
    await run.receive(at(3, 1), b!);
    await run.wait(60 * SECOND_MS);
    expect([run.panes(), run.dropped]).toEqual([[], 1]);
    expect(await counters()).toEqual({ "10:00 v VIEW": 1 });
  });

  test("the lateness rule sets an event aside before the runner drops any, and the books say so", async () => {
    const run = await CountingRun.start({ keptMs: 300 * SECOND_MS }, { allowedLatenessMs: 120 * SECOND_MS });
    await run.receive(at(0, 2), a!);
    await run.watermark(at(2));
    await run.receive(at(2, 1), b!);
    await run.watermark(at(9));
    // By now the runner has forgotten the minute: it would drop both without a word.
    await run.receive(at(9, 1), c!, d!);
    await run.watermark(Number.POSITIVE_INFINITY);
    expect(await stores.ledger.books(MINUTE, MINUTE + 1)).toMatchObject([{ counted: 2, late: 2 }]);
    expect(run.dropped).toBe(0);
  });
});
