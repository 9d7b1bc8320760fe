import { StampBook } from "../../ingest-api/stamp-book";
import { StoreUnavailableError } from "../../io/ports";
import { IngestHarness, NOW_MS } from "./ingest-harness";

const untimed = (eventId: string, changes: Record<string, unknown> = {}) =>
  JSON.stringify({ eventId, videoId: "v", eventType: "VIEW", ...changes });

const times = async (harness: IngestHarness) => (await harness.events()).map((event) => event.eventTimeMs - NOW_MS);

let harness: IngestHarness;
beforeEach(async () => {
  harness = await IngestHarness.start();
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
  harness.nowMs += 300_000;
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
  expect(await harness.log.recentStamps(harness.nowMs)).toEqual([{ key: "a\0v\0VIEW", stampedAtMs: NOW_MS }]);
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
  expect((await harness.post(`[${untimed("a")},${untimed("b")}]`)).status).toBe(202);
  expect((await harness.post(untimed("c"))).status).toBe(429);
  expect((await harness.post(untimed("a"))).status).toBe(202);
  expect((await harness.post(untimed("c", { eventTime: NOW_MS }))).status).toBe(202);
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
