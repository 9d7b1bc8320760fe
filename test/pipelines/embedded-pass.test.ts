// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { minuteOf } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";
import { columnsOf, T0 } from "../domain/model";
import { archiveObject } from "../io/formats/avro/events";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { EmbeddedStream, openStores, type Stores } from "../system/golden/embedded-runner";
import { storedCells } from "../system/golden/outcome";
import { event } from "../transforms/elements";

const shared = emptiedStores();
let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-pass-"));
  stores = await openStores(folder, await shared());
});
afterEach(async () => {
  await stores.close();
  rmSync(folder, { recursive: true, force: true });
});

const M0 = minuteOf(T0);
const send = (stream: EmbeddedStream, ...ids: string[]) =>
  stream.send({
    kind: "send",
    receivedAtMs: T0,
    checked: true,
    events: ids.map((eventId) => ({ raw: { eventId, videoId: "v", eventType: "VIEW", eventTime: T0 } })),
  });

const total = async () => [...(await storedCells(stores.counters)).totals.values()][0]?.count;

test("objects of another writer in a minute whose panes are kept make the minute be recounted, books and all", async () => {
  const stream = new EmbeddedStream(stores, { dedupePartitions: 2, videoShards: 1, keepPanes: true }, -1);
  await send(stream, "a", "b");
  expect(await stream.pass()).toMatchObject({ events: 2, minutes: 1, recounted: 0, left: "nothing" });
  const columns = columnsOf([event("b"), event("c")]);
  const { name, sizeBytes } = await stores.archive.write(
    M0,
    "other-1.avro",
    archiveObject("other-1.avro", columns, T0),
  );
  await stores.ledger.addObjects([{ name, minute: M0, events: 2, sizeBytes }], [M0]);
  await send(stream, "a", "d");
  expect(await stream.pass()).toMatchObject({ events: 2, minutes: 1, recounted: 1 });
  expect(await total()).toBe(4);
  expect(await stores.ledger.books(M0, M0 + 1)).toMatchObject([{ archived: 6, counted: 4, duplicate: 2 }]);
  await send(stream, "e");
  expect(await stream.pass()).toMatchObject({ events: 1, minutes: 1, recounted: 0 });
  expect(await stores.ledger.books(M0, M0 + 1)).toMatchObject([{ archived: 7, counted: 5, duplicate: 2 }]);
});

test("a pass leaves older entries where its bound cut them off, newer ones where they came meanwhile, or nothing", async () => {
  const isWriting = new Set<string>();
  const whileWriting = (used: Stores): Stores => ({
    ...used,
    archive: Object.assign(Object.create(used.archive) as typeof used.archive, {
      write: async (...object: Parameters<typeof used.archive.write>) => {
        for (const id of isWriting) await send(stream, id);
        return used.archive.write(...object);
      },
    }),
  });
  const options = { dedupePartitions: 1, videoShards: 1, keepPanes: true };
  const stream: EmbeddedStream = new EmbeddedStream(stores, options, -1, whileWriting);
  await send(stream, "a");
  isWriting.add("b");
  expect(await stream.pass()).toMatchObject({ events: 1, position: 1, left: "newer" });
  isWriting.clear();
  for (let n = 0; n < 100; n++) await send(stream, `more-${n}`);
  expect(await stream.pass()).toMatchObject({ events: 100, position: 101, left: "older" });
  expect(await stream.pass()).toMatchObject({ events: 1, position: 102, left: "nothing" });
  expect(await total()).toBe(102);
});

test("a pass without news does nothing", async () => {
  const stream = new EmbeddedStream(stores, { dedupePartitions: 1, videoShards: 1, keepPanes: true }, -1);
  expect(await stream.pass()).toBeUndefined();
  expect(await stores.ledger.checkpoint()).toBe(0);
});

test("entries that the log has lost before they were counted stop the stream, they are not passed over", async () => {
  const stream = new EmbeddedStream(stores, { dedupePartitions: 1, videoShards: 1, keepPanes: true }, -1);
  await send(stream, "a");
  await send(stream, "b");
  await stores.ledger.setPending({ fromPosition: 1, toPosition: 2 });
  await stores.log.trim(2);
  await expect(stream.pass()).rejects.toThrow(/the log has lost entries 1 to 2/);
});

/** Events of `minutes` minutes before M0, newest first, one each. */
const older = (minutes: number) =>
  Array.from({ length: minutes }, (_, n) => ({
    raw: { eventId: `old${n}`, videoId: "old", eventType: "VIEW", eventTime: T0 - (n + 1) * MINUTE_MS },
  }));

test("of a request of a thousand minutes a pass takes the newest: an event of now beside it is counted first", async () => {
  const options = { dedupePartitions: 1, videoShards: 1, keepPanes: true, maxMinutes: 16 };
  const stream = new EmbeddedStream(stores, options, -1);
  await stream.send({ kind: "send", receivedAtMs: T0, checked: true, events: older(1_000) });
  await send(stream, "now");
  expect(await stream.pass()).toMatchObject({ events: 16, minutes: 16, position: 0, left: "nothing" });
  expect((await stores.counters.totals("v")).get("VIEW")?.count).toBe(1);
  expect(await stores.archive.list(0, M0 + 1)).toHaveLength(16);
  expect([await stores.ledger.checkpoint(), await stores.ledger.countedThrough()]).toEqual([2, 0]);
  // A request that comes between two slices is not behind the others of them.
  await stream.slice();
  await send(stream, "later");
  expect(await stream.pass()).toMatchObject({ minutes: 1, recounted: 0, position: 0 });
  expect((await stores.counters.totals("v")).get("VIEW")?.count).toBe(2);
  let slices = 0;
  for (let slice = await stream.slice(); slice !== undefined; slice = await stream.slice()) {
    expect(slice.minutes).toBeLessThanOrEqual(16);
    slices++;
  }
  expect(slices).toBe(Math.ceil((1_001 - 2 * 16) / 16));
  expect((await stores.counters.totals("old")).get("VIEW")?.count).toBe(1_000);
  expect(await stores.ledger.countedThrough()).toBe(3);
  expect(await stores.archive.list(0, M0 + 1)).toHaveLength(1_002);
});

test("a pass counts no more archived events again than its bound, but for one minute", async () => {
  const first = new EmbeddedStream(stores, { dedupePartitions: 1, videoShards: 1, keepPanes: false }, -1);
  await first.send({ kind: "send", receivedAtMs: T0, checked: true, events: older(10) });
  await first.catchUp();
  const options = { dedupePartitions: 1, videoShards: 1, keepPanes: false, maxRecountEvents: 3 };
  const stream = new EmbeddedStream(stores, options, -1);
  await stream.send({ kind: "send", receivedAtMs: T0, checked: true, events: older(10) });
  expect(await stream.pass()).toMatchObject({ minutes: 3, recounted: 3 });
  expect(await stream.slice()).toMatchObject({ minutes: 3, recounted: 3 });
  await stream.catchUp();
  expect((await stores.ledger.books(0, M0)).every(({ counted, duplicate }) => counted === 1 && duplicate === 1)).toBe(
    true,
  );
});

test("as many objects as are kept but other ones make the minute be recounted", async () => {
  const stream = new EmbeddedStream(stores, { dedupePartitions: 1, videoShards: 1, keepPanes: true }, -1);
  await send(stream, "a", "b");
  await stream.pass();
  const [listed] = await stores.ledger.archivedObjects(M0, M0 + 1);
  const columns = columnsOf([event("c")]);
  const other = await stores.archive.write(M0, "other-1.avro", archiveObject("other-1.avro", columns, T0));
  rmSync(join(folder, "archive", listed!.name));
  const db = new DatabaseSync(join(folder, "counters.sqlite"));
  db.exec(`UPDATE archived_objects SET name = '${other.name}', events = 1, size_bytes = ${other.sizeBytes}`);
  db.close();
  await send(stream, "d");
  expect(await stream.pass()).toMatchObject({ minutes: 1, recounted: 1 });
  expect(await stores.ledger.books(M0, M0 + 1)).toMatchObject([{ archived: 2, counted: 2, duplicate: 0 }]);
});

test("an object that is in the archive and not listed does not make every pass recount its minute, nor count twice once it is listed", async () => {
  const stream = new EmbeddedStream(stores, { dedupePartitions: 1, videoShards: 1, keepPanes: true }, -1);
  await send(stream, "a");
  await stream.pass();
  stream.panes.forget([M0]);
  const columns = columnsOf([event("x")]);
  const orphan = await stores.archive.write(M0, "other-1.avro", archiveObject("other-1.avro", columns, T0));
  await send(stream, "b");
  expect(await stream.pass()).toMatchObject({ recounted: 1 });
  await send(stream, "c");
  expect(await stream.pass()).toMatchObject({ recounted: 0 });
  await stores.ledger.addObjects([{ name: orphan.name, minute: M0, events: 1, sizeBytes: orphan.sizeBytes }], [M0]);
  await send(stream, "d");
  expect(await stream.pass()).toMatchObject({ recounted: 0 });
  expect(await stores.ledger.books(M0, M0 + 1)).toMatchObject([{ archived: 5, counted: 5, duplicate: 0 }]);
});
