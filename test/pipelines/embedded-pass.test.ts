import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minuteOf } from "../../domain/event";
import { archiveObject } from "../avro/events";
import { columnsOf, T0 } from "../domain/model";
import { EmbeddedStream, openStores, type Stores } from "../golden/embedded-runner";
import { storedCells } from "../golden/outcome";
import { event } from "../transforms/elements";

let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-pass-"));
  stores = await openStores(folder);
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
  expect(await stream.pass()).toMatchObject({ events: 2, minutes: 1, recounted: 0, caughtUp: true });
  const columns = columnsOf([event("b"), event("c")]);
  const { name, sizeBytes } = await stores.archive.write(
    M0,
    "other-1.avro",
    archiveObject("other-1.avro", columns, T0),
  );
  await stores.state.addObjects([{ name, minute: M0, events: 2, sizeBytes }], [M0]);
  await send(stream, "a", "d");
  expect(await stream.pass()).toMatchObject({ events: 2, minutes: 1, recounted: 1 });
  expect(await total()).toBe(4);
  expect(await stores.state.ledger(M0, M0 + 1)).toMatchObject([{ archived: 6, counted: 4, duplicate: 2 }]);
  await send(stream, "e");
  expect(await stream.pass()).toMatchObject({ events: 1, minutes: 1, recounted: 0 });
  expect(await stores.state.ledger(M0, M0 + 1)).toMatchObject([{ archived: 7, counted: 5, duplicate: 2 }]);
});

test("a pass without news does nothing", async () => {
  const stream = new EmbeddedStream(stores, { dedupePartitions: 1, videoShards: 1, keepPanes: true }, -1);
  expect(await stream.pass()).toBeUndefined();
  expect(await stores.state.checkpoint()).toBe(0);
});

test("entries that the log has lost before they were counted stop the stream, they are not passed over", async () => {
  const stream = new EmbeddedStream(stores, { dedupePartitions: 1, videoShards: 1, keepPanes: true }, -1);
  await send(stream, "a");
  await send(stream, "b");
  await stores.state.setPending({ fromPosition: 1, toPosition: 2 });
  await stores.log.trim(2);
  await expect(stream.pass()).rejects.toThrow(/the log has lost entries 1 to 2/);
});
