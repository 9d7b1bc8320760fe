// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minuteOf } from "../../domain/event";
import { LedgerProgress } from "../../io/cluster/ledger-progress";
import { LowWatermark } from "../../io/cluster/low-watermark";
import { splitLedger } from "../../io/cluster/split-ledger";
import { LogClock } from "../../io/flow/log-clock";
import { readArchiveObject } from "../../io/formats/avro/archive-object";
import { type Ledger, type LogMessage, type LogPortion, PortionLostError } from "../../io/ports";
import { archivePortion } from "../../pipelines/archiver/archive-portion";
import { type ArchiverDependencies, runArchiver } from "../../pipelines/archiver/archiver";
import { T0 } from "../domain/model";
import { SqliteLogSubscription } from "../io/ports/embedded-subscription";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { openStores, type Stores } from "../system/golden/embedded-runner";
import { event, message } from "../transforms/elements";

const M0 = minuteOf(T0);
const shared = emptiedStores();
let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-archiver-"));
  stores = await openStores(folder, await shared());
});
afterEach(async () => {
  await stores.close();
  rmSync(folder, { recursive: true, force: true });
});

const payloadOf = async ({ payload }: LogMessage) => payload;
const options = {
  maxPortionMessages: 2,
  maxPortionBytes: 1 << 20,
  maxPortionAgeMs: 20,
  portionsInFlight: 2,
  progressIntervalMs: 10,
};

const subscription = () =>
  new SqliteLogSubscription(stores.log, {
    checkpoint: () => stores.ledger.checkpoint(),
    pending: () => stores.ledger.pending(),
    setPending: (range) => stores.ledger.setPending(range),
    complete: (position) => stores.ledger.completePass(position, [], []),
  });

const append = (...ids: string[]) =>
  stores.log.append({
    payload: message(ids.map((id, index) => event(id, { eventTimeMs: T0 + index * 60_000 }))).payload,
    events: ids.length,
    acceptedByMinute: new Map(ids.map((_, index) => [M0 + index, 1])),
  });

/** Runs until the log is archived, or until it fails. */
async function archiveAll(over: Partial<ArchiverDependencies> = {}): Promise<string[]> {
  const stop = new AbortController();
  const names: string[] = [];
  const head = await stores.log.head();
  const reader = { name: "archiver", leaseMs: 60_000 };
  const deps = {
    subscription: subscription(),
    archive: stores.archive,
    ledger: stores.ledger,
    payloadOf,
    clock: Date.now,
    reader,
    ...over,
  };
  await runArchiver(deps, options, stop.signal, ({ name }) => {
    names.push(name);
    void stores.ledger.checkpoint().then((position) => position >= head && stop.abort());
  });
  return names;
}

const archived = async () => {
  const events: string[] = [];
  for (const { name, minute } of await stores.archive.list(M0 - 5, M0 + 5))
    for (const { columns } of readArchiveObject(await stores.archive.read(name), minute))
      events.push(`${minute - M0} ${columns.count}`);
  return events.sort();
};

test("the log is archived by minute of event time, portion by portion, and listed as it is archived", async () => {
  for (let n = 0; n < 5; n++) await append(`a${n}`, `b${n}`);
  expect(await archiveAll()).toHaveLength(3);
  expect(await archived()).toEqual(["0 1", "0 2", "0 2", "1 1", "1 2", "1 2"]);
  const books = await stores.ledger.books(M0, M0 + 2);
  expect(books.map(({ accepted, archived: events }) => [accepted, events])).toEqual([
    [5, 5],
    [5, 5],
  ]);
});

test("an archiver that died before it acknowledged is followed by one that writes the same objects", async () => {
  await append("a", "b");
  await append("c", "d");
  const dying = {
    ...splitLedger(stores.ledger, stores.ledger),
    addObjects: () => Promise.reject(new Error("killed here")),
  };
  await expect(archiveAll({ ledger: dying })).rejects.toThrow("killed here");
  const before = (await stores.archive.list(M0, M0 + 5)).map(({ name }) => name);
  await append("e");
  await archiveAll();
  const after = (await stores.archive.list(M0, M0 + 5)).map(({ name }) => name);
  expect(after).toEqual(expect.arrayContaining(before));
  expect(await archived()).toEqual(["0 1", "0 2", "1 2"]);
});

test("an archiver that loses a portion to another one goes on", async () => {
  await append("a");
  const real = subscription();
  let lost = 0;
  const losing = Object.assign(Object.create(real) as typeof real, {
    take: async (...limits: Parameters<typeof real.take>): Promise<LogPortion | undefined> => {
      const portion = await real.take(...limits);
      if (portion === undefined || lost++ > 0) return portion;
      const done = async () => {
        await portion.abandon();
        throw new PortionLostError("another reader has it");
      };
      return { ...portion, done };
    },
  });
  await archiveAll({ subscription: losing });
  expect(lost).toBeGreaterThan(1);
  expect(await archived()).toEqual(["0 1"]);
});

describe("the mark, with a clock that jumps", () => {
  /**
   * The log's own time is this machine's: SQLite stamps the appends. The archiver's clock is off by what `offMs` says.
   */
  async function marksWith(offMs: () => number): Promise<{ marks: number[]; askedAtMs: number[] }> {
    const real = subscription();
    const logClock = new LogClock();
    const knowing = Object.assign(Object.create(real) as typeof real, {
      take: async (...limits: Parameters<typeof real.take>) => {
        const portion = await real.take(...limits);
        for (const { appendedAtMs } of portion?.messages ?? []) logClock.saw(appendedAtMs);
        return portion;
      },
      logTimeMs: () => logClock.reachedMs(),
    });
    const seen = { marks: [] as number[], askedAtMs: [] as number[] };
    const ledger = Object.assign(splitLedger(stores.ledger, stores.ledger), {
      setArchivedThrough: async (...args: Parameters<Ledger["setArchivedThrough"]>) => {
        seen.marks.push(args.find((arg) => typeof arg === "number") as number);
        seen.askedAtMs.push(Date.now());
      },
    });
    const stop = new AbortController();
    const reader = { name: "archiver", leaseMs: 60_000 };
    const deps = { subscription: knowing, archive: stores.archive, ledger, payloadOf, reader };
    const running = runArchiver({ ...deps, clock: () => Date.now() + offMs() }, options, stop.signal, () => undefined);
    await vi.waitFor(() => expect(logClock.reachedMs()).toBeDefined());
    seen.marks.length = seen.askedAtMs.length = 0;
    await vi.waitFor(() => expect(seen.marks.length).toBeGreaterThan(5));
    stop.abort();
    await running;
    return seen;
  }

  test.each([
    ["an hour ahead", () => 3_600_000],
    ["an hour behind", () => -3_600_000],
    ["anywhere", () => (Math.random() - 0.5) * 1e8],
  ])("%s of the log's, it never says more than the log's own time", async (_what, offMs) => {
    await append("a");
    const { marks, askedAtMs } = await marksWith(offMs);
    for (const [at, mark] of marks.entries()) expect(mark).toBeLessThanOrEqual(askedAtMs[at]!);
  });
});

const portionOf = (name: string, exact: boolean, messages: LogMessage[]): LogPortion => ({
  name,
  exact,
  messages,
  done: async () => undefined,
  abandon: async () => undefined,
});

test("a message that is delivered again, in the same portion or in another, is in the books once", async () => {
  const [first, second] = ["m1", "m2"].map((id) => ({
    id,
    payload: message([event(id), event(`${id}-b`)]).payload,
    acceptedByMinute: new Map([[M0, 2]]),
    appendedAtMs: T0,
  }));
  const deps = { archive: stores.archive, ledger: stores.ledger, payloadOf };
  await archivePortion(portionOf("p-1", false, [first!, first!]), deps);
  await archivePortion(portionOf("p-2", false, [first!, second!]), deps);
  expect(await stores.ledger.books(M0, M0 + 1)).toMatchObject([{ accepted: 4, archived: 4 }]);
});

test("what a message declares and does not hold is a gap in the books; what nobody declared is no gap", async () => {
  const deps = { archive: stores.archive, ledger: stores.ledger, payloadOf };
  const declared = {
    id: "x",
    payload: Buffer.from("no batch"),
    acceptedByMinute: new Map([[M0, 3]]),
    appendedAtMs: T0,
  };
  const result = await archivePortion(portionOf("p-1", true, [declared]), deps);
  expect(result).toMatchObject({ events: 0, undecodable: 1 });
  expect(await stores.ledger.books(M0, M0 + 1)).toMatchObject([{ accepted: 3, archived: 0 }]);
  const single = Buffer.from(JSON.stringify({ eventId: "s", videoId: "v", eventType: "VIEW" }));
  const foreign = { id: "y", payload: single, acceptedByMinute: undefined, appendedAtMs: T0 + 60_000 };
  await archivePortion(portionOf("p-2", true, [foreign]), deps);
  expect(await stores.ledger.books(M0 + 1, M0 + 2)).toMatchObject([{ accepted: 1, archived: 1 }]);
});

describe("progress by the books", () => {
  const NOW = T0 + 10 * 60_000;
  let nowMs = NOW;
  beforeEach(() => {
    nowMs = NOW;
  });
  const progress = () => new LedgerProgress(stores.ledger, { clock: () => nowMs });
  const object = (minute: number, events: number, acceptedSinceMs: number, name = "o") => ({
    minute,
    name: `${name}-${minute}`,
    events,
    sizeBytes: 1,
    accepted: events,
    acceptedSinceMs,
  });
  const counted = (minute: number, events: number, late = 0) =>
    stores.ledger.writeRows([
      { minute, part: 0, received: events, counted: events - late, duplicate: 0, late, reusedIds: 0 },
    ]);
  const archivedThrough = (timeMs: number, reader = "a", leaseMs = 60_000) =>
    stores.ledger.setArchivedThrough(reader, timeMs, nowMs + leaseMs);
  /** Advances as an archiver does every second. */
  const watermark = () => {
    const keeper = new LowWatermark(stores.ledger, () => nowMs);
    return async () => {
      nowMs += 1_000;
      await archivedThrough(nowMs - 500);
      return (await keeper.advance()) - NOW;
    };
  };

  test("nothing is complete before an archiver has said how far it is", async () => {
    expect(await new LowWatermark(stores.ledger, () => nowMs).advance()).toBe(0);
    expect(await progress().completeThroughMs(NOW)).toBe(0);
    expect(await progress().behind()).toBe(true);
    await archivedThrough(NOW - 1_000);
    expect(await progress().behind()).toBe(false);
    nowMs += 60_000;
    expect(await progress().behind()).toBe(true);
  });

  test("an event that was accepted and is not counted holds the watermark at its acceptance, however far ahead it is timestamped", async () => {
    const advance = watermark();
    expect(await advance()).toBe(500);
    await stores.ledger.addObjects([object(M0 + 14, 5, nowMs), object(M0 + 10, 5, nowMs + 100)], [M0 + 14, M0 + 10]);
    await counted(M0 + 10, 5);
    for (let n = 0; n < 4; n++) expect(await advance()).toBe(1_000);
    await counted(M0 + 14, 5);
    const reached = [await advance(), await advance(), await advance()];
    expect(reached.at(-1)).toBe(nowMs - 500 - NOW);
    expect(await progress().completeThroughMs(nowMs)).toBe(nowMs - 500);
    expect(await progress().accepted(M0, M0 + 20)).toEqual(
      new Map([
        [M0 + 10, 5],
        [M0 + 14, 5],
      ]),
    );
  });

  test("a job that is away for four hours and more is never promised over", async () => {
    const advance = watermark();
    await advance();
    await stores.ledger.addObjects([object(M0 + 10, 5, nowMs)], [M0 + 10]);
    nowMs += 9 * 3_600_000;
    expect([await advance(), await advance()]).toEqual([1_000, 1_000]);
  });

  test("a late event that waits for an audit holds the watermark, and the audit lets it go", async () => {
    const advance = watermark();
    await advance();
    await stores.ledger.addObjects([object(M0 - 600, 5, nowMs)], [M0 - 600]);
    await counted(M0 - 600, 5, 2);
    for (let n = 0; n < 3; n++) expect(await advance()).toBe(1_000);
    await stores.ledger.settleLate([{ minute: M0 - 600, counted: 1, duplicate: 1 }], { auditedAtMs: nowMs });
    await advance();
    await advance();
    expect(await advance()).toBe(nowMs - 500 - NOW);
  });

  test("what was promised and never archived is named, and the watermark stands", async () => {
    const advance = watermark();
    await advance();
    const booked = nowMs;
    await stores.ledger.addObjects([object(M0 + 10, 3, booked)], [M0 + 10]);
    await counted(M0 + 10, 3);
    const lost = { instance: "i1", sequence: 1, minutes: new Map([[M0 + 10, 5]]), sinceMs: booked, throughMs: nowMs };
    await stores.ledger.bookAccepted({ ...lost, leaseUntilMs: 0 });
    for (let n = 0; n < 5; n++) expect(await advance()).toBe(booked - NOW);
    expect(await stores.ledger.books(M0 + 10, M0 + 11)).toMatchObject([{ promised: 5, declared: 3, archived: 3 }]);
    expect(await progress().accepted(M0 + 10, M0 + 11)).toEqual(new Map([[M0 + 10, 5]]));
  });

  test("a loss that is found after the watermark has passed it takes the watermark back, once and for all", async () => {
    const advance = watermark();
    for (let n = 0; n < 5; n++) await advance();
    const booking = {
      instance: "i1",
      sequence: 1,
      minutes: new Map([[M0 + 10, 5]]),
      sinceMs: NOW + 2_000,
      throughMs: nowMs,
    };
    await stores.ledger.bookAccepted({ ...booking, leaseUntilMs: 0 });
    for (let n = 0; n < 3; n++) expect(await advance()).toBe(2_000);
  });

  test("two archivers: the one that is behind holds the watermark until its lease ends", async () => {
    const advance = watermark();
    await archivedThrough(NOW - 5_000, "behind", 3_000);
    expect([await advance(), await advance()]).toEqual([-5_000, -5_000]);
    expect(await advance()).toBe(2_500);
  });

  test("an ingest instance holds the watermark at its last booking until its lease ends", async () => {
    const advance = watermark();
    const account = { instance: "i1", sequence: 1, minutes: new Map(), sinceMs: NOW, throughMs: NOW - 2_000 };
    await stores.ledger.bookAccepted({ ...account, leaseUntilMs: NOW + 3_000 });
    expect([await advance(), await advance()]).toEqual([-2_000, -2_000]);
    expect(await advance()).toBe(2_500);
  });

  test("sums that agree by chance, of messages that are not the same, close no minute", async () => {
    const advance = watermark();
    await advance();
    // One message is archived and not counted, another of the same size is counted and not archived yet.
    await stores.ledger.addObjects([object(M0 + 10, 5, nowMs)], [M0 + 10]);
    await counted(M0 + 10, 5);
    expect(await advance()).toBe(1_000);
    await stores.ledger.addObjects([object(M0 + 10, 5, nowMs, "second")], [M0 + 10]);
    for (let n = 0; n < 3; n++) expect(await advance()).toBe(1_000);
    await counted(M0 + 10, 10);
    await advance();
    await advance();
    expect(await advance()).toBe(nowMs - 500 - NOW);
  });

  test("what an earlier release left unbalanced is found, once", async () => {
    const { acceptedSinceMs: _, ...old } = object(M0 - 9_000, 5, 0);
    await stores.ledger.addObjects([old], [M0 - 9_000]);
    const advance = watermark();
    for (let n = 0; n < 3; n++) expect(await advance()).toBe((M0 - 9_000) * 60_000 - 6 * 60_000 - NOW);
    await counted(M0 - 9_000, 5);
    await advance();
    await advance();
    expect(await advance()).toBe(nowMs - 500 - NOW);
  });
});

test("a stream whose ledger is elsewhere keeps its checkpoint with the log", async () => {
  const elsewhere = await openStores(join(folder, "elsewhere"));
  const ledger = splitLedger(stores.ledger, elsewhere.ledger);
  await ledger.setPending({ fromPosition: 1, toPosition: 4 });
  await ledger.completePass(4, [{ minute: M0, name: "a", events: 2, sizeBytes: 9 }], [M0]);
  expect(await stores.ledger.checkpoint()).toBe(4);
  expect(await ledger.pending()).toBeUndefined();
  expect(await stores.ledger.archivedObjects(M0, M0 + 1)).toEqual([]);
  expect(await ledger.archivedObjects(M0, M0 + 1)).toHaveLength(1);
  expect(await elsewhere.ledger.changeSequences(M0, M0 + 1)).toEqual(new Map([[M0, 1]]));
  await elsewhere.close();
});
