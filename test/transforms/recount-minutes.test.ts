// SPDX-License-Identifier: Apache-2.0
/** What the recount of a minute says of its objects: those on their way, repeated, left over, damaged or rolled up. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BACKFILL_WRITER } from "../../domain/archive-name";
import { minuteOf } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";
import { type ArchivedObject, type RolledHour, StoreUnavailableError } from "../../io/ports";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import { type AuditOptions, type IdBlock, unitKey } from "../../transforms/audit-elements";
import { cellColumns, decodeCells } from "../../transforms/cell-columns";
import { HourReads } from "../../transforms/hour-reads";
import { hashOfId } from "../../transforms/id-words";
import { keyByUnit, objectsKey, RecountMinute } from "../../transforms/recount-minutes";
import { columnsOf, T0 } from "../domain/model";
import { archiveObject } from "../io/formats/avro/events";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { openStores, type Stores } from "../system/golden/embedded-runner";
import { event, withResources } from "./elements";

const M = minuteOf(T0);
const NAMES = { archive: "archive", counterStore: "counters", ledger: "ledger", logProgress: "progress" };
const OPTIONS: AuditOptions = {
  ...{ fromMinute: M, toMinute: M + 60, isAgain: false, allowedLatenessMs: -1, repair: false, patienceMs: 0 },
  ...{ finalBeforeMs: Number.POSITIVE_INFINITY, seeds: [1, 2], idPartitions: 1, videoParts: 1 },
};

const shared = emptiedStores();
let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-recount-"));
  stores = await openStores(folder, await shared());
});
afterEach(async () => {
  await stores.close();
  rmSync(folder, { recursive: true, force: true });
});

async function write(writer: string, ids: string, receivedAtMs = T0): Promise<ArchivedObject> {
  const content = archiveObject("w.avro", columnsOf([...ids].map((id) => event(id))), receivedAtMs);
  const { name, sizeBytes } = await stores.archive.write(M, `${writer}.avro`, content);
  return { name, minute: M, events: ids.length, sizeBytes };
}
const list = (object: ArchivedObject, messages?: ArchivedObject["messages"]) =>
  stores.ledger.addObjects([{ ...object, ...(messages && { messages }) }], [M]);
const archive = async (writer: string, ids: string, receivedAtMs = T0) => {
  const object = await write(writer, ids, receivedAtMs);
  await list(object);
  return object;
};
/** Accepts events of the minute by the log. Once the log is trimmed, nothing of it is on its way. */
async function accept(events: number, isOnItsWay = false): Promise<void> {
  await stores.log.append({ payload: Buffer.of(1), events, acceptedByMinute: new Map([[M, events]]) });
  if (!isOnItsWay) await stores.log.trim(await stores.log.head());
}

interface Asked {
  options?: Partial<AuditOptions>;
  ports?: Record<string, unknown>;
  part?: number;
  of?: number;
  waitedMs?: number;
  reads?: HourReads;
}

async function recount({ options = {}, ports = {}, part = 0, of = 1, waitedMs = 0, reads }: Asked = {}) {
  const { archive, counters, ledger, log } = stores;
  const progress = new SqliteLogProgress(log, ledger, ledger);
  const step = new RecountMinute(NAMES, { ...OPTIONS, ...options });
  step.waitedMs = waitedMs;
  step.reads = reads;
  const key = unitKey({ minute: M, part, of, events: 10 });
  const tagged = await withResources({ archive, counters, ledger, progress, ...ports }, async () => {
    const all = [];
    for await (const each of step.process({ key, value: [M] })) all.push(each);
    return all;
  });
  const hours = tagged.flatMap((each) => ("hours" in each ? [each.hours] : []));
  const ids = tagged.flatMap((each) => ("ids" in each ? [each.ids] : []));
  const books = hours.find(({ value }) => value.books !== undefined)?.value.books;
  return { hours, ids, books, waitedMs: step.waitedMs };
}
const booksOf = async (asked?: Asked) => (await recount(asked)).books!;

const COMPARABLE = { notComparable: "", repeated: 0, missing: 0, loss: { events: 0, objects: [] } };

test("a minute whose objects are all there is comparable, and its books say which objects they are", async () => {
  const [a, b] = [await archive("w-1", "abc"), await archive("w-2", "cd")];
  await accept(5);
  const books = await booksOf();
  expect(books).toMatchObject({ ...COMPARABLE, minute: M, part: 0, of: 1, objects: 2, isUnbalanced: true });
  expect(books).toMatchObject({ counted: { events: 5, distinct: 4 }, wasSettled: false });
  expect(books.objectsKey).toBe(objectsKey([a, b] as never));
  expect(books).not.toHaveProperty("rolledBooks");
  const other = { ...a, sizeBytes: a.sizeBytes + 1 };
  expect(new Set([[a, b], [a], [other, b], [b, a]].map((each) => objectsKey(each as never))).size).toBe(4);
});

describe("a leftover", () => {
  const messages = (events: number) => [{ id: "m", events, accepted: events }];

  test("fills no gap with events that another object has: they are repeats", async () => {
    await list(await write("w-1", "abc"), messages(3));
    await write("w-2", "cd");
    await write("w-3", "de");
    await accept(5);
    expect(await booksOf()).toMatchObject({ ...COMPARABLE, repeated: 2, counted: { events: 7, distinct: 5 } });
    await accept(1);
    expect(await booksOf()).toMatchObject({ repeated: 2, missing: 1, loss: { events: 1 } });
  });

  test("of a part of a minute stands for all its events: another part may have the others", async () => {
    await list(await write("w-1", "abc"), messages(3));
    await write("w-2", "cd");
    await accept(6);
    const [first, second] = [await booksOf({ part: 0, of: 2 }), await booksOf({ part: 1, of: 2 })];
    for (const books of [first, second]) expect(books).toMatchObject({ repeated: 0, missing: 1, of: 2 });
    expect(first.counted.distinct + second.counted.distinct).toBe(4);
  });
});

describe("events that are missing", () => {
  test("are a loss where the minute is final and nothing is on its way", async () => {
    await archive("w-1", "abc");
    await accept(5);
    const gap = { notComparable: "5 events accepted, 3 in the archive", missing: 2 };
    expect(await booksOf()).toMatchObject({ ...gap, loss: { events: 2 } });
    const endsMs = (M + 1) * MINUTE_MS;
    expect(await booksOf({ options: { finalBeforeMs: endsMs } })).toMatchObject({ ...gap, loss: { events: 2 } });
    expect(await booksOf({ options: { finalBeforeMs: endsMs - 1 } })).toMatchObject({ ...gap, loss: { events: 0 } });
  });

  test("may come while the log has messages, and are waited for until the patience ends", async () => {
    await archive("w-1", "abc");
    await accept(5, true);
    const gap = { notComparable: "5 events accepted, 3 in the archive", missing: 2, loss: { events: 0 } };
    const asked = { options: { patienceMs: 500 }, waitedMs: 500 };
    expect(await recount(asked)).toMatchObject({ books: gap, waitedMs: 500 });
    let lists = 0;
    const arriving = new Proxy(stores.archive, {
      get: (target, name) =>
        name === "list"
          ? async (from: number, to: number) => {
              if (++lists === 2) await archive("w-2", "de");
              return target.list(from, to);
            }
          : Reflect.get(target, name).bind(target),
    });
    const found = await recount({ options: { patienceMs: 201 }, waitedMs: 0, ports: { archive: arriving } });
    expect(found).toMatchObject({ books: { ...COMPARABLE, counted: { events: 5 } }, waitedMs: 200 });
    expect(lists).toBe(2);
  });

  test("accepted in the millisecond of the question may come, too", async () => {
    await archive("w-1", "abc");
    await accept(5, true);
    const { appendedAtMs } = (await stores.log.firstAfter(0))!;
    const lossAt = async (nowMs: number) => (await booksOf({ reads: new HourReads(() => nowMs) })).loss.events;
    expect([await lossAt(appendedAtMs), await lossAt(appendedAtMs + 1)]).toEqual([0, 0]);
    await stores.log.trim(await stores.log.head());
    expect(await lossAt(appendedAtMs)).toBe(2);
  });

  test("an object that no ledger lists yet is waited for, too; without messages in the log it never is", async () => {
    await write("w-1", "abc");
    await accept(3);
    const waits = { options: { patienceMs: 10 } };
    expect(await recount(waits)).toMatchObject({ books: COMPARABLE, waitedMs: 0 });
    await accept(0, true);
    expect(await recount(waits)).toMatchObject({ books: COMPARABLE, waitedMs: 200 });
  });
});

test("the first object that cannot be read is named; nothing is called lost, and the others count", async () => {
  await archive("w-1", "abc");
  for (const writer of ["w-2", "w-3"]) {
    const { name } = await archive(writer, "de");
    await stores.archive.write(M, name.split("/").at(-1)!, Buffer.from("no object"));
  }
  await accept(9);
  const books = await booksOf();
  expect(books).toMatchObject({ counted: { events: 3 }, loss: { events: 0, objects: [] } });
  expect(books.notComparable).toMatch(/\/w-2\.avro: /u);
});

test("backfilled events are set aside where late ones are, and late ones by their receipt", async () => {
  // The n-th event of an object was received n milliseconds after the first.
  await archive("w-1", "abc", T0 + 2_000);
  await archive(`${BACKFILL_WRITER}-1`, "cde");
  await accept(3);
  const counted = { events: 6, distinct: 5 };
  const none = { lateCounted: 0, lateDuplicate: 0, backfillCounted: 0, backfillDuplicate: 0 };
  expect((await booksOf()).counted).toEqual({ ...counted, ...none });
  const aside = { ...none, backfillCounted: 2, backfillDuplicate: 1 };
  expect((await booksOf({ options: { allowedLatenessMs: 2_002 } })).counted).toEqual({ ...counted, ...aside });
  const late = { ...aside, lateCounted: 1 };
  expect((await booksOf({ options: { allowedLatenessMs: 2_001 } })).counted).toEqual({ ...counted, ...late });
  late.lateCounted = 3;
  expect((await booksOf({ options: { allowedLatenessMs: 0 } })).counted).toEqual({ ...counted, ...late });
});

test("every part of the videos gets the books, and its own cells; a unit without a minute is known to all", async () => {
  const events = ["v", "w", "x", "y"].map((videoId) => event(videoId, { videoId }));
  const content = archiveObject("w.avro", columnsOf(events), T0);
  const { name, sizeBytes } = await stores.archive.write(M, "w-1.avro", content);
  await list({ name, sizeBytes, minute: M, events: 4 });
  await accept(4);
  const { hours, books } = await recount({ options: { videoParts: 3 } });
  const hour = Math.floor(M / 60);
  const keys = [0, 1, 2].map((part) => `${hour} ${part}`);
  const withBooks = hours.filter(({ value }) => value.books !== undefined);
  expect(withBooks).toEqual(keys.map((key) => ({ key, value: { minute: M, books } })));
  const cells = hours.flatMap(({ key, value }) =>
    value.cells === undefined
      ? []
      : [...decodeCells(cellColumns(value.cells))].map(({ videoId, count }) => [key, videoId, count]),
  );
  expect(cells.sort()).toEqual(
    ["v", "w", "x", "y"].map((videoId) => [`${hour} ${stores.counters.partOf(videoId)}`, videoId, 1]).sort(),
  );
  const empty = await recount({ options: { videoParts: 3 }, of: 0 });
  expect([empty.hours, empty.ids]).toEqual([keys.map((key) => ({ key, value: { minute: M } })), []]);
  expect(keyByUnit({ minute: M, part: 1, of: 2, events: 3 })).toEqual({ key: `${M} 1 2 3`, value: M });
});

test("the hashes of all ids are in the blocks of their partitions, and no block is empty", async () => {
  const alphabet = Array.from({ length: 500 }, (_, n) => String.fromCharCode(0x4e00 + n)).join("");
  await archive("w-1", alphabet);
  await accept(500);
  const wordsOf = ({ hashes }: IdBlock) => new Int32Array(Uint8Array.from(hashes).buffer);
  const { ids } = await recount({ options: { idPartitions: 3 } });
  expect(ids.map(({ key, value }) => [key, value.minute])).toEqual(["0", "1", "2"].map((key) => [key, M]));
  const found = ids.flatMap(({ key, value }) => {
    const words = wordsOf(value);
    return Array.from({ length: words.length / 2 }, (_, n) => `${key} ${words[2 * n]} ${words[2 * n + 1]}`);
  });
  const expected = [...alphabet].map((id) => {
    const bytes = Buffer.from(id);
    const [first, second] = [1, 2].map((seed) => hashOfId(bytes, 0, bytes.length, seed));
    return `${(second! >>> 0) % 3} ${first} ${second}`;
  });
  expect(found.sort()).toEqual(expected.sort());
  const few = await recount({ options: { idPartitions: 2_000 } });
  expect(few.ids.length).toBeLessThan(501);
  for (const { value } of few.ids) expect(wordsOf(value).length).toBeGreaterThan(0);
});

describe("a minute that is in roll-ups", () => {
  const rolledAs = (counted: RolledHour["counted"]) => ({
    counters: new Proxy(stores.counters, {
      get: (target, name) =>
        name === "rolledHour"
          ? async (): Promise<RolledHour> => ({ isRolling: false, videos: async () => new Set(), counted })
          : Reflect.get(target, name).bind(target),
    }),
  });

  test("has the books of the roll-ups where the archive has later events, and misses nothing that expired", async () => {
    await accept(90);
    await list({ name: `${(await write("w-0", "x")).name}`, minute: M, events: 40, sizeBytes: 0 });
    await stores.archive.remove([(await stores.archive.list(M, M + 1))[0]!.name]);
    const rolled = rolledAs(async (minute) => minute - M + 7);
    const expired = await booksOf({ ports: rolled });
    expect(expired).toMatchObject({ ...COMPARABLE, rolledBooks: { archived: 40 } });
    expect(expired.rolledBooks).not.toHaveProperty("counted");
    await archive("w-1", "abc");
    expect(await booksOf({ ports: rolled })).toMatchObject({
      ...COMPARABLE,
      rolledBooks: { archived: 43, counted: 7 },
    });
  });

  test("has none where the ledger knows nothing of it", async () => {
    await write("w-1", "abc");
    expect(await booksOf({ ports: rolledAs(async () => 7) })).not.toHaveProperty("rolledBooks");
  });

  test("cannot be compared where a roll-up is damaged; any other failure is thrown on", async () => {
    await archive("w-1", "abc");
    const damaged = rolledAs(() => Promise.reject(new StoreUnavailableError("a roll-up is damaged")));
    const books = await booksOf({ ports: damaged });
    expect(books).toMatchObject({ notComparable: "a roll-up is damaged", rolledBooks: { archived: 3 } });
    await expect(booksOf({ ports: rolledAs(() => Promise.reject(new Error("a bug"))) })).rejects.toThrow("a bug");
  });
});
