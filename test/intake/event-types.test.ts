// SPDX-License-Identifier: Apache-2.0
/** A deployment has as many event types as its configuration allows; every road refuses the same ones. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { provideResource, withdrawResource } from "../../engine";
import { KnownEventTypes } from "../../intake/known-types";
import { ingestProducer } from "../../intake/receipt";
import { encodeBatch } from "../../io/formats/avro/batch";
import { type EventTypes, StoreUnavailableError } from "../../io/ports";
import { SqliteEventTypes } from "../../io/sqlite/event-types";
import { archivePortion } from "../../pipelines/archiver/archive-portion";
import { archiveFile } from "../../pipelines/backfill/archive-file";
import { AdmitEventTypes } from "../../transforms/admit-event-types";
import { DecodeBatches, type Decoded } from "../../transforms/decode-batches";
import type { BatchMessage, Message } from "../../transforms/elements";
import { columnsOf, T0 } from "../domain/model";
import { event, IngestHarness, NOW_MS } from "../ingest-api/ingest-harness";
import { removeFolders, temporaryFolder } from "../io/ports/condition";
import { openStores, type Stores } from "../system/golden/embedded-runner";

const BOUND = 3;
let folder = "";
let types: EventTypes;
beforeEach(() => {
  folder = temporaryFolder();
  types = new SqliteEventTypes({ folder });
});
afterEach(async () => {
  await types.close();
  removeFolders();
});

const known = (store: EventTypes = types) => new KnownEventTypes(store, BOUND);
const json = (list: readonly string[], timeMs = T0) =>
  JSON.stringify(list.map((eventType, n) => ({ eventId: `e${n}`, videoId: "v", eventType, eventTime: timeMs })));
const batchOf = (list: readonly string[], producerId: string) =>
  encodeBatch(columnsOf(list.map((eventType, n) => ({ eventId: `e${n}`, videoId: "v", eventType, eventTimeMs: T0 }))), {
    receivedAtMs: T0,
    producerId,
    batchId: "",
  });

describe("over HTTP", () => {
  let harness: IngestHarness;
  afterEach(() => harness.stop());
  const post = async (list: readonly string[]) => {
    const answer = await harness.post(json(list, NOW_MS));
    return [answer.body.accepted, answer.body.rejected?.map(({ index, reason }) => [index, reason])];
  };

  it("the first types are taken up to the bound, more are bad-event-type, for every process and after a restart", async () => {
    harness = await IngestHarness.start({ eventTypes: known() });
    expect(await post(["VIEW", "LIKE"])).toEqual([2, []]);
    expect(await post(["A", "B", "VIEW", "C", "A"])).toEqual([
      3,
      [
        [1, "bad-event-type"],
        [3, "bad-event-type"],
      ],
    ]);
    expect(await post(["B", "A"])).toEqual([1, [[0, "bad-event-type"]]]);
    expect((await harness.letters()).map(({ reason }) => reason)).toEqual(Array(3).fill("bad-event-type"));
    await harness.stop();
    const elsewhere = new SqliteEventTypes({ folder });
    harness = await IngestHarness.start({ eventTypes: known(elsewhere) });
    expect(await post(["D", "VIEW"])).toEqual([1, [[0, "bad-event-type"]]]);
    await elsewhere.close();
  });

  it("a type that is refused for another reason, or that a batch only lists, takes no place", async () => {
    harness = await IngestHarness.start({ eventTypes: known() });
    await harness.post(JSON.stringify([event({ eventType: "WASTED", videoId: "a b" })]));
    const columns = columnsOf([{ eventId: "e", videoId: "v", eventType: "VIEW", eventTimeMs: NOW_MS }]);
    const listed = { ...columns, types: [...columns.types, "LISTED"] };
    const headers = { "Content-Type": "application/vnd.viewmill.batch+avro" };
    const message = encodeBatch(listed, { receivedAtMs: 0, producerId: "", batchId: "" });
    expect((await harness.post(message, headers)).body.accepted).toBe(1);
    expect(await types.admit([], BOUND)).toEqual(new Set(["VIEW"]));
  });

  it("a known type needs no store, a new one is a 503 while it is away", async () => {
    let away = false;
    const store: Pick<EventTypes, "admit"> = {
      admit: async (...asked) => {
        if (away) throw new StoreUnavailableError("away");
        return types.admit(...asked);
      },
    };
    harness = await IngestHarness.start({ eventTypes: new KnownEventTypes(store, BOUND) });
    expect(await post(["VIEW"])).toEqual([1, []]);
    away = true;
    expect(await post(["VIEW"])).toEqual([1, []]);
    expect((await harness.post(json(["LIKE"], NOW_MS))).status).toBe(503);
    away = false;
    expect(await post(["LIKE"])).toEqual([1, []]);
  });
});

/** Returns the stream's judgement of a message: events and reasons. */
async function streamed(payload: Uint8Array): Promise<{ events: number; reasons: string[] }> {
  provideResource("test/event-types", types);
  try {
    const admit = new AdmitEventTypes("test/event-types", { maxEventTypes: BOUND, rules: {} });
    const given: BatchMessage = { kind: "batch", payload: Uint8Array.from(payload), appendedAtMs: T0 };
    const [message] = (await admit.process(given)) as [Message];
    const decode = new DecodeBatches({ dedupePartitions: 1, paneCache: "", allowedLatenessMs: -1 });
    const out: Partial<Decoded>[] = [...decode.process(message)];
    for (const { value } of decode.finishBundle()) out.push(value);
    return {
      events: out.reduce((sum, each) => sum + (each.blocks?.value.count ?? 0), 0),
      reasons: out.flatMap((each) => (each.dead === undefined ? [] : [each.dead.reason])),
    };
  } finally {
    withdrawResource("test/event-types");
  }
}

async function archived(stores: Stores, payload: Uint8Array): Promise<{ events: number; leftOut: number }> {
  const portion = {
    name: `p-${Math.random().toString(36).slice(2)}`,
    exact: true,
    messages: [{ id: "m", payload, acceptedByMinute: undefined, appendedAtMs: T0 }],
    done: async () => undefined,
    abandon: async () => undefined,
  };
  const deps = { archive: stores.archive, ledger: stores.ledger, payloadOf: async () => payload, eventTypes: known() };
  const { events, leftOut } = await archivePortion(portion, deps);
  return { events, leftOut };
}

describe("on the other roads", () => {
  let stores: Stores;
  beforeEach(async () => {
    stores = await openStores(folder);
    await types.admit(["VIEW", "LIKE"], BOUND);
  });
  afterEach(() => stores.close());
  const LIST = ["VIEW", "NEW", "NEWER", "LIKE", "NEWEST", "NEW"];

  it.each(["stream", "archiver"])(
    "both readers of a topic refuse the same events, whoever reads first: %s",
    async (first) => {
      for (const payload of [Buffer.from(json(LIST)), batchOf(LIST, "direct")]) {
        if (first === "archiver") expect(await archived(stores, payload)).toEqual({ events: 4, leftOut: 2 });
        expect(await streamed(payload)).toEqual({ events: 4, reasons: ["bad-event-type", "bad-event-type"] });
        expect(await archived(stores, payload)).toEqual({ events: 4, leftOut: 2 });
      }
    },
  );

  it("what the write API accepted is not asked for again", async () => {
    const payload = batchOf(LIST, ingestProducer("player"));
    expect(await streamed(payload)).toEqual({ events: 6, reasons: [] });
    expect(await archived(stores, payload)).toEqual({ events: 6, leftOut: 0 });
    expect(await types.admit([], BOUND)).toEqual(new Set(["VIEW", "LIKE"]));
  });

  it("a backfilled line of a type too many is rejected", async () => {
    const path = join(folder, "events.ndjson");
    writeFileSync(path, (JSON.parse(json(LIST)) as unknown[]).map((each) => JSON.stringify(each)).join("\n"));
    const deps = { ...stores, clock: () => T0, eventTypes: known() };
    expect(await archiveFile(path, deps, () => undefined)).toMatchObject({ accepted: 4, rejected: 2 });
  });
});
