// SPDX-License-Identifier: Apache-2.0
/** What becomes of judged events: entries of the log of their own or shared, stamps, dead letters, refusals. */
import type { VideoEvent } from "../../domain/event";
import { SharedAppends } from "../../ingest-api/shared-appends";
import { StampBook } from "../../ingest-api/stamp-book";
import { storeEvents, storeMalformed } from "../../ingest-api/store-events";
import type { RejectedEvent, TakenEvents } from "../../intake/taken";
import { decodeBatch, encodeBatch } from "../../io/formats/avro/batch";
import { type EventLog, LogFullError, type ReceiptStamps, type Stamp, StoreUnavailableError } from "../../io/ports";
import { columnsOf, T0 } from "../domain/model";
import { emptiedStores } from "../io/sqlite/emptied-stores";

const shared = emptiedStores();
const events = (n: number): VideoEvent[] =>
  Array.from({ length: n }, (_, i) => ({ eventId: `e${i}`, videoId: "v", eventType: "VIEW", eventTimeMs: T0 + i }));
const rejectedAs = (eventId: string | null): RejectedEvent => ({
  ...{ index: 1, eventId, reason: "bad-value", detail: "no value" },
  ...{ payload: Buffer.from(`<${eventId}>`), contentType: "text/plain" },
});

async function start(receiptStamps?: ReceiptStamps) {
  const { log, deadLetters } = await shared();
  const appended: Parameters<EventLog["append"]>[0][] = [];
  const append = log.append.bind(log);
  log.append = (entry) => {
    appended.push(entry);
    return append(entry);
  };
  const stampBook = new StampBook(10);
  const stores = { log, deadLetters, stampBook, shared: new SharedAppends(log, stampBook) };
  const taken = (count: number, more: Partial<TakenEvents> = {}): TakenEvents => ({
    ...{ kind: "events", receivedAtMs: T0, producerId: "", batchId: "", columns: columnsOf(events(count)) },
    ...{ stamps: [], stampedRows: [], rejected: [], alreadyAccepted: false, ...more },
  });
  const store = (given: TakenEvents) => storeEvents(given, { ...stores, ...(receiptStamps && { receiptStamps }) });
  return { log, deadLetters, stampBook, appended, taken, store };
}

test("requests of up to 16 events share an entry; larger ones and messages of producers have one of their own", async () => {
  const { appended, taken, store } = await start();
  const both = (count: number) => Promise.all([store(taken(count)), store(taken(count))]);
  expect([await both(16), await both(17)].flat()).toEqual(Array(4).fill(undefined));
  expect(appended.map((entry) => entry.events)).toEqual([32, 17, 17]);
  const message = encodeBatch(columnsOf(events(2)), { receivedAtMs: T0, producerId: "p", batchId: "b" });
  await Promise.all([store(taken(2, { message })), store(taken(2, { message }))]);
  expect(appended.slice(3).map((entry) => entry.events)).toEqual([2, 2]);
  for (const { payload, events: count, acceptedByMinute } of appended) {
    expect(decodeBatch(payload)).toMatchObject({ receivedAtMs: T0, columns: { count } });
    expect(acceptedByMinute).toEqual(new Map([[T0 / 60_000, count]]));
  }
});

test("a request without events appends none; its rejections are dead letters, with an id where they have one", async () => {
  const { deadLetters, appended, taken, store } = await start();
  expect(await store(taken(0))).toBeUndefined();
  const letters = () => deadLetters.list({ afterId: "0", limit: 10 });
  expect([appended, await letters()]).toEqual([[], []]);
  let calls = 0;
  const append = deadLetters.append.bind(deadLetters);
  deadLetters.append = (all) => {
    calls++;
    return append(all);
  };
  expect(await store(taken(1))).toBeUndefined();
  expect(calls).toBe(0);
  expect(await store(taken(0, { rejected: [rejectedAs("a"), rejectedAs(null)] }))).toBeUndefined();
  const [withId, withoutId, ...others] = await letters();
  const common = {
    reason: "bad-value",
    detail: "no value",
    contentType: "text/plain",
    source: "ingest",
    receivedAtMs: T0,
  };
  expect(withId).toMatchObject({ ...common, eventId: "a" });
  expect(withoutId).toMatchObject(common);
  expect([withoutId!.eventId, others.length, calls, appended.length]).toEqual([undefined, 0, 1, 1]);
});

test("stamps are written with the events until they are durable", async () => {
  const { stampBook, appended, taken, store } = await start();
  const stamp = stampBook.stampOf("untimed", Date.now())!;
  for (let times = 0; times < 2; times++) await store(taken(17, { stamps: [stamp], stampedRows: [3] }));
  const { key, stampedAtMs } = stamp;
  expect(appended.map(({ stamps }) => stamps)).toEqual([[{ key, stampedAtMs }], undefined]);
  expect(appended[1]).not.toHaveProperty("stamps");
});

test("instances agree on stamps before anything is stored, and the stamped rows get the time agreed on", async () => {
  const asked: (readonly Stamp[])[] = [];
  const agreed = {
    hold: async (proposed: readonly Stamp[]) => {
      asked.push(proposed);
      return proposed.map(({ key }) => ({ key, stampedAtMs: T0 + 7_000 }));
    },
  } as ReceiptStamps;
  const { stampBook, appended, taken, store } = await start(agreed);
  const stamp = stampBook.stampOf("untimed", T0 + 9_000)!;
  await store(taken(2, { stamps: [stamp], stampedRows: [1] }));
  expect(asked).toEqual([[{ key: "untimed", stampedAtMs: T0 + 9_000 }]]);
  expect([...decodeBatch(appended[0]!.payload).columns.timesMs]).toEqual([T0, T0 + 7_000]);
  expect(appended[0]).not.toHaveProperty("stamps");
});

test("a log that is full or away is a refusal, no letter of the request is written then, and a bug is thrown on", async () => {
  const { log, deadLetters, taken, store } = await start();
  const request = () => store(taken(1, { rejected: [rejectedAs("a")] }));
  log.append = () => Promise.reject(new LogFullError("the log is full"));
  expect(await request()).toMatchObject({ status: 429, kind: "overloaded", detail: "the log is full" });
  log.append = () => Promise.reject(new StoreUnavailableError("disk"));
  expect(await request()).toMatchObject({ status: 503, detail: "the store cannot write now" });
  log.append = () => Promise.reject(new TypeError("a bug"));
  await expect(request()).rejects.toThrow("a bug");
  expect(await deadLetters.list({ afterId: "0", limit: 10 })).toEqual([]);
  const letter = { ...{ receivedAtMs: T0, reason: "not-json" as const, detail: "no" }, payload: Buffer.from("{") };
  expect(await storeMalformed({ ...letter, contentType: "application/json" }, { deadLetters })).toBeUndefined();
  expect(await deadLetters.list({ afterId: "0", limit: 10 })).toMatchObject([{ source: "ingest", reason: "not-json" }]);
});
