// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StampBook } from "../../ingest-api/stamp-book";
import { type ReceiptStamps, type Stamp, StoreUnavailableError } from "../../io/ports";
import { SqliteReceiptStamps } from "../../io/sqlite/receipt-stamps";
import { IngestHarness } from "./ingest-harness";

const untimed = (eventId: string, changes: Record<string, unknown> = {}) =>
  JSON.stringify({ eventId, videoId: "v", eventType: "VIEW", ...changes });

const times = async (harness: IngestHarness) => (await harness.events()).map((event) => event.eventTimeMs - startMs);

let harness: IngestHarness;
/**
 * A log for each test and not for the file: the log forgets stamps by the machine's clock, and a process may run for
 * long before a test.
 */
let startMs: number;
beforeEach(async () => {
  startMs = Math.floor(Date.now() / 60_000) * 60_000;
  harness = await IngestHarness.start();
  harness.nowMs = startMs;
});
afterEach(() => harness.stop());

it("a retry within 10 minutes gets the first stamp, later it is stamped anew", async () => {
  await harness.post(untimed("a"));
  harness.nowMs += 599_999;
  await harness.post(untimed("a"));
  harness.nowMs += 1;
  await harness.post(untimed("a"));
  await harness.post(untimed("a"));
  expect(await times(harness)).toEqual([0, 0, 600_000, 600_000]);
});

it("another video or type is another event with its own stamp", async () => {
  await harness.post(untimed("a"));
  harness.nowMs += 5;
  await harness.post(untimed("a", { videoId: "w" }));
  harness.nowMs += 5;
  await harness.post(untimed("a", { eventType: "LIKE" }));
  expect(await times(harness)).toEqual([0, 5, 10]);
});

it("a retry after a restart gets the stamp of before", async () => {
  await harness.post(untimed("a"));
  await harness.stop(true);
  harness = await IngestHarness.start({ folder: harness.folder });
  harness.nowMs = startMs + 300_000;
  await harness.post(untimed("a"));
  await harness.post(untimed("b"));
  expect(await times(harness)).toEqual([0, 0, 300_000]);
});

it("a stamp whose request failed is given to its retry, and written with it", async () => {
  const append = harness.log.append.bind(harness.log);
  harness.log.append = () => Promise.reject(new StoreUnavailableError("disk"));
  expect((await harness.post(untimed("a"))).status).toBe(503);
  harness.log.append = append;
  harness.nowMs += 1000;
  expect((await harness.post(untimed("a"))).status).toBe(202);
  expect(await times(harness)).toEqual([0]);
  expect(await harness.log.recentStamps(harness.nowMs)).toEqual([{ key: "a\0v\0VIEW", stampedAtMs: startMs }]);
});

it("requests at the same time share one stamp", async () => {
  const posts = [];
  for (let i = 0; i < 50; i++) {
    posts.push(harness.post(untimed("a")));
    harness.nowMs++;
  }
  await Promise.all(posts);
  expect(new Set(await times(harness)).size).toBe(1);
});

it("a full book answers 429 until stamps expire; events with a time pass all along", async () => {
  await harness.stop();
  harness = await IngestHarness.start({ limits: { maxStamps: 2 } });
  harness.nowMs = startMs;
  expect((await harness.post(`[${untimed("a")},${untimed("b")}]`)).status).toBe(202);
  expect((await harness.post(untimed("c"))).status).toBe(429);
  expect((await harness.post(untimed("a"))).status).toBe(202);
  expect((await harness.post(untimed("c", { eventTime: startMs }))).status).toBe(202);
  harness.nowMs += 600_000;
  expect((await harness.post(untimed("c"))).status).toBe(202);
});

it("the book keeps no more than its bound and forgets what has expired", () => {
  const book = new StampBook(3);
  for (let i = 0; i < 10; i++) book.stampOf(`k${i}`, i);
  expect(book.size).toBe(3);
  expect(book.stampOf("new", 600_002)?.stampedAtMs).toBe(600_002);
  expect(book.size).toBe(1);
});

describe("with another instance beside it", () => {
  let folder = "";
  let real: SqliteReceiptStamps;
  let shared: ReceiptStamps;
  let asked: (readonly Stamp[])[] = [];
  let away = false;
  let other: IngestHarness;
  beforeEach(async () => {
    await harness.stop();
    folder = mkdtempSync(join(tmpdir(), "viewmill-stamps-"));
    real = new SqliteReceiptStamps({ folder });
    [asked, away] = [[], false];
    shared = {
      hold: (proposed) => {
        asked.push(proposed);
        return away ? Promise.reject(new StoreUnavailableError("away")) : real.hold(proposed);
      },
      close: () => real.close(),
    };
    harness = await IngestHarness.start({ receiptStamps: shared });
    other = await IngestHarness.start({ receiptStamps: shared });
    harness.nowMs = startMs;
    other.nowMs = startMs;
  });
  afterEach(async () => {
    await other.stop();
    await shared.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("a retry that comes to the other instance, over a minute's edge, is the same event", async () => {
    await harness.post(untimed("a"));
    other.nowMs += 90_000;
    expect((await other.post(`[${untimed("b")},${untimed("a")},${untimed("a")}]`)).status).toBe(202);
    expect(await times(harness)).toEqual([0]);
    expect(await times(other)).toEqual([90_000, 0, 0]);
    const [entry] = await other.log.read(0, 1, 1 << 20);
    expect(entry!.events).toBe(3);
    const minute = startMs / 60_000;
    expect(await other.log.accepted(minute, minute + 2)).toEqual(
      new Map([
        [minute, 2],
        [minute + 1, 1],
      ]),
    );
  });

  it("a retry after a restart without the log's memory gets the stamp of before", async () => {
    await harness.post(untimed("a"));
    await harness.stop();
    harness = await IngestHarness.start({ receiptStamps: shared });
    harness.nowMs = startMs + 300_000;
    await harness.post(untimed("a"));
    expect(await times(harness)).toEqual([0]);
  });

  it("requests at the same time to both share one stamp", async () => {
    const posts = [];
    for (let i = 0; i < 40; i++) {
      posts.push([harness, other][i % 2]!.post(untimed("a")));
      harness.nowMs += 7;
      other.nowMs += 11;
    }
    expect(new Set((await Promise.all(posts)).map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set([...(await times(harness)), ...(await times(other))]).size).toBe(1);
  });

  it("while the stamps are away nothing is stored, and afterwards nothing is stamped twice; events with a time pass", async () => {
    await other.post(untimed("b"));
    away = true;
    harness.nowMs += 5;
    expect((await harness.post(`[${untimed("a")},${untimed("b")}]`)).status).toBe(503);
    expect((await harness.post(untimed("c", { eventTime: startMs + 1 }))).status).toBe(202);
    expect(await times(harness)).toEqual([1]);
    away = false;
    harness.nowMs += 60_000;
    expect((await harness.post(`[${untimed("a")},${untimed("b")}]`)).status).toBe(202);
    expect(await times(harness)).toEqual([1, 5, 0]);
  });

  it("they are asked for events without a time only, once a request, and once an event", async () => {
    await harness.post(untimed("a", { eventTime: startMs }));
    await harness.post(untimed("01933a8e-5c00-7000-8000-000000000001"));
    expect(asked).toEqual([]);
    await harness.post(`[${untimed("a")},${untimed("b")},${untimed("a")}]`);
    await harness.post(`[${untimed("a")},${untimed("b")}]`);
    expect(asked.map((stamps) => stamps.map(({ key }) => key[0]))).toEqual([["a", "b"]]);
  });
});
