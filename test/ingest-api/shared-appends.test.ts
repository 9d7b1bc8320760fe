// SPDX-License-Identifier: Apache-2.0
/** Small requests that arrive together share an entry of the log, over the real log. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VideoEvent } from "../../domain/event";
import { SharedAppends } from "../../ingest-api/shared-appends";
import { StampBook } from "../../ingest-api/stamp-book";
import type { TakenEvents } from "../../intake/taken";
import { decodeBatch } from "../../io/formats/avro/batch";
import { LogFullError, type Stamp } from "../../io/ports";
import { SqliteEventLog } from "../../io/sqlite/event-log";
import { columnsOf, T0 } from "../domain/model";

let folder: string;
let log: SqliteEventLog;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-shared-"));
});
afterEach(async () => {
  await log.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = async (maxBacklogBytes?: number) => {
  log = await SqliteEventLog.open({ folder, ...(maxBacklogBytes === undefined ? {} : { maxBacklogBytes }) });
};

const event = (eventId: string, more: Partial<VideoEvent> = {}): VideoEvent => {
  return { eventId, videoId: "v", eventType: "VIEW", eventTimeMs: T0, ...more };
};

function taken(events: readonly VideoEvent[], receivedAtMs = T0, stamps: Stamp[] = []): TakenEvents {
  const rows = { stamps, stampedRows: stamps.map((_, row) => row), rejected: [], alreadyAccepted: false };
  return { kind: "events", receivedAtMs, producerId: "", batchId: "", columns: columnsOf(events), ...rows };
}

/** The receipt and the ids of each entry. */
async function entries() {
  return (await log.read(0, 100, 1 << 20)).map(({ payload, events }) => {
    const { columns, receivedAtMs } = decodeBatch(payload);
    expect(columns.count).toBe(events);
    return { receivedAtMs, ids: [...(columns.hashedIds ?? new Map<number, string>()).values()] };
  });
}

test("requests of one turn and millisecond share an entry, and each is answered once it is durable", async () => {
  await open();
  const shared = new SharedAppends(log, new StampBook(10));
  await Promise.all([
    shared.append(taken([event("a"), event("b")])),
    shared.append(taken([event("c")])),
    shared.append(taken([event("d")], T0 + 1)),
  ]);
  const found = await entries();
  expect(found.sort((a, b) => a.receivedAtMs - b.receivedAtMs)).toEqual([
    { receivedAtMs: T0, ids: ["a", "b", "c"] },
    { receivedAtMs: T0 + 1, ids: ["d"] },
  ]);
  expect(await log.accepted(T0 / 60_000, T0 / 60_000 + 1)).toEqual(new Map([[T0 / 60_000, 4]]));
  await shared.append(taken([event("e")]));
  expect((await entries()).map(({ ids }) => ids)).toContainEqual(["e"]);
});

test("values, extra fields and stamps stay with their events", async () => {
  await open();
  const book = new StampBook(10);
  const shared = new SharedAppends(log, book);
  // The log forgets stamps by the clock of the machine.
  const nowMs = Date.now();
  const stamp = book.stampOf("untimed", nowMs)!;
  const extra = { player: { version: 3 } };
  await Promise.all([
    shared.append(taken([event("a", { value: 7, extra })])),
    shared.append(taken([event("b")], T0, [stamp])),
  ]);
  const [entry] = await log.read(0, 100, 1 << 20);
  const { columns } = decodeBatch(entry!.payload);
  expect([...columns.values!]).toEqual([7, Number.NaN]);
  expect(JSON.parse(columns.extras!.get(0)!)).toEqual(extra);
  expect((await log.recentStamps(nowMs)).map(({ key }) => key)).toEqual(["untimed"]);
  expect(book.toPersist([stamp])).toEqual([]);
});

test("a log that takes no more refuses every request of the entry, and their stamps stay to be written", async () => {
  await open(1);
  const book = new StampBook(10);
  const shared = new SharedAppends(log, book);
  const stamp = book.stampOf("untimed", T0)!;
  const answers = await Promise.allSettled([
    shared.append(taken([event("a")])),
    shared.append(taken([event("b")], T0, [stamp])),
  ]);
  for (const answer of answers) expect(answer).toMatchObject({ status: "rejected", reason: expect.any(LogFullError) });
  expect(book.toPersist([stamp])).toHaveLength(1);
  expect(await entries()).toEqual([]);
});

test("a full entry takes no more requests, and only what is not durable yet is written as a stamp", async () => {
  await open();
  const book = new StampBook(10);
  const shared = new SharedAppends(log, book);
  const appended: { events: number; stamps?: readonly Stamp[] }[] = [];
  const append = log.append.bind(log);
  log.append = (entry) => {
    appended.push(entry);
    return append(entry);
  };
  const rows = Array.from({ length: 16 }, (_, n) => event(`e${n}`));
  const full = Array.from({ length: 256 }, () => shared.append(taken(rows)));
  await Promise.all([...full, shared.append(taken([event("next")]))]);
  expect(appended.map(({ events }) => events).sort()).toEqual([1, 4_096]);
  for (const entry of appended) expect(entry).not.toHaveProperty("stamps");
  const stamp = book.stampOf("untimed", Date.now())!;
  for (let times = 0; times < 2; times++) await shared.append(taken([event("b")], T0, [stamp]));
  expect(appended.map(({ stamps }) => stamps?.length)).toEqual([undefined, undefined, 1, undefined]);
});
