// SPDX-License-Identifier: Apache-2.0
import type { BatchRows } from "../../domain/columns/batch-rows";
import { openBlock } from "../../domain/columns/event-block";
import { minuteOf, parseEvent } from "../../domain/event";
import { FromResource, generate, runDirect, toBytes } from "../../engine";
import { readArchiveObject } from "../../io/formats/avro/archive-object";
import { EmbeddedPaneCache } from "../../pipelines/embedded/pane-cache";
import { type DecodeOptions, decodeBatches } from "../../transforms/decode-batches";
import type { Message } from "../../transforms/elements";
import { columnsOf, T0 } from "../domain/model";
import { archiveObject } from "../io/formats/avro/events";
import { event, message, withResources } from "./elements";

const M0 = minuteOf(T0);
const plain: DecodeOptions = { dedupePartitions: 1, paneCache: "", allowedLatenessMs: -1 };

async function decode(
  messages: readonly Message[],
  options: Partial<DecodeOptions> = {},
  resources: Record<string, object> = {},
) {
  const { outputs, windowed } = await withResources({ "test/messages": messages, ...resources }, () =>
    runDirect((root) =>
      decodeBatches(generate(root, "Messages", new FromResource("test/messages")), { ...plain, ...options }),
    ),
  );
  const blocks = outputs.blocks.map(({ key, value }) => {
    const { minute, count } = value;
    expect("block" in value ? openBlock(toBytes(value.block)).count : rowsOf(value.batches)).toBe(count);
    return { partition: Number(key), minute: minute - M0, count };
  });
  const timesMs = windowed.blocks.map(({ timestamp }) => Number(timestamp));
  return { ...outputs, blocks, late: outputs.late.map(({ value }) => value), timesMs };
}

const rowsOf = (batches: readonly BatchRows[]) =>
  batches.reduce((sum, { batch, rows }) => sum + (rows?.length ?? batch.columns.count), 0);

describe.each([
  ["as blocks", {}],
  ["in this process", { inProcess: true }],
])("events go on %s", (_how, inProcess) => {
  test("the messages of a bundle become one block a minute and partition, at the time of its minute", async () => {
    const messages = [
      message([event("a"), event("b", { eventTimeMs: T0 + 60_000 })]),
      message([event("c"), event("d", { eventTimeMs: T0 + 59_999 })]),
    ];
    const { blocks, timesMs, dead, late } = await decode(messages, inProcess);
    expect(blocks).toEqual([
      { partition: 0, minute: 0, count: 3 },
      { partition: 0, minute: 1, count: 1 },
    ]);
    expect(timesMs).toEqual([T0, T0 + 60_000]);
    expect([dead, late]).toEqual([[], []]);
  });

  test("an event is of the same partition in whatever message it comes", async () => {
    const ids = Array.from({ length: 40 }, (_, i) => `id-${i}`);
    const together = await decode([message(ids.map((id) => event(id)))], { dedupePartitions: 4, ...inProcess });
    const apart = await decode(
      ids.map((id) => message([event(id)])),
      { dedupePartitions: 4, ...inProcess },
    );
    expect(apart.blocks).toEqual(together.blocks);
    expect(together.blocks.length).toBe(4);
  });

  test("a message that cannot be decoded is a dead letter with its bytes whole, and the others stand", async () => {
    const payload = Buffer.from("not a batch");
    const { blocks, dead } = await decode([{ kind: "batch", payload }, message([event("a")])], inProcess);
    expect(blocks).toMatchObject([{ count: 1 }]);
    expect(dead).toMatchObject([{ reason: "not-avro", contentType: "application/vnd.viewmill.batch+avro" }]);
    expect(Buffer.from(toBytes(dead[0]!.payload))).toEqual(payload);
  });

  test("an event that breaks the contract is a dead letter that can be sent again, and its batch stands", async () => {
    const bad = event("bad", { videoId: "v 1", value: 7, extra: { player: 3 } });
    const { blocks, dead } = await decode([message([event("a"), bad, event("c")])], inProcess);
    expect(blocks).toMatchObject([{ count: 2 }]);
    expect(dead).toMatchObject([
      { reason: "bad-video-id", eventId: "bad", receivedAtMs: T0, contentType: "application/json" },
    ]);
    const again = JSON.parse(Buffer.from(toBytes(dead[0]!.payload)).toString()) as Record<string, unknown>;
    expect(again).toMatchObject({ eventId: "bad", videoId: "v 1", value: 7, player: 3 });
    const mended = parseEvent({ ...again, videoId: "v" }, { receivedAtMs: T0 + 1, rawRetentionMs: 1000 });
    expect(mended).toMatchObject({ ok: true, stampNeeded: false, event: { eventTimeMs: T0, value: 7 } });
  });

  test("only the wanted minutes of a message are taken", async () => {
    const events = [0, 1, 2].map((minute) => event(`e${minute}`, { eventTimeMs: T0 + minute * 60_000 }));
    const { blocks } = await decode([message(events, T0, [M0, M0 + 2])], inProcess);
    expect(blocks.map(({ minute }) => minute)).toEqual([0, 2]);
  });

  test("late events are counted by minute over the bundle, and not among the blocks", async () => {
    const late = [event("a", { eventTimeMs: T0 - 1001 }), event("b", { eventTimeMs: T0 - 1000 })];
    const { blocks, late: set } = await decode([message(late), message(late.slice(0, 1))], {
      allowedLatenessMs: 1000,
      ...inProcess,
    });
    expect(blocks).toMatchObject([{ minute: -1, count: 1 }]);
    expect(set).toEqual([{ minute: M0 - 1, receiptMinute: minuteOf(T0), count: 2 }]);
  });
});

test("an archive object is judged by the receipt of each row", async () => {
  const content = archiveObject("w.avro", columnsOf([event("a"), event("b")]), T0 + 1000);
  const object = { kind: "archive", name: "o", minute: M0, content } as const;
  const { blocks, late } = await decode([object], { allowedLatenessMs: 1000 });
  expect([blocks[0]?.count, late[0]?.count]).toEqual([1, 1]);
});

test("rows of a message that another object has are left out, in whatever block of the object they are", async () => {
  const large = { extra: { text: "x".repeat(300_000) } };
  const events = Array.from({ length: 9 }, (_, n) => event(`e${n}`, { videoId: `v${n}`, ...large }));
  const content = archiveObject("w.avro", columnsOf(events), T0);
  expect([...readArchiveObject(content)].length).toBeGreaterThan(1);
  const object = { kind: "archive", name: "o", minute: M0, content } as const;
  for (const inProcess of [false, true]) {
    const counts = async (repeated: readonly number[]) =>
      (await decode([{ ...object, repeated }], { inProcess })).blocks.reduce((sum, { count }) => sum + count, 0);
    expect([await counts([]), await counts([0, 2, 3, 7]), await counts([0, 9])]).toEqual([9, 3, 0]);
  }
});

test("a damaged archive object is a dead letter with its bytes whole", async () => {
  const content = archiveObject("w.avro", columnsOf([event("a")]), T0).subarray(0, -1);
  const { blocks, dead } = await decode([{ kind: "archive", name: "date=x/w.avro", minute: M0, content }]);
  expect(blocks).toEqual([]);
  expect(dead).toMatchObject([{ reason: "not-avro", detail: expect.stringContaining("date=x/w.avro") }]);
  expect(Buffer.from(toBytes(dead[0]!.payload))).toEqual(content);
});

test("with kept panes every partition of a touched minute fires, also without new rows", async () => {
  const cache = new EmbeddedPaneCache(1_000);
  const options = { dedupePartitions: 4, paneCache: "test/panes", inProcess: true };
  const { blocks } = await decode([message([event("a")])], options, { "test/panes": cache });
  expect(blocks.map(({ partition }) => partition).sort()).toEqual([0, 1, 2, 3]);
  expect(blocks.map(({ count }) => count).sort()).toEqual([0, 0, 0, 1]);
  expect(new Set(blocks.map(({ minute }) => minute))).toEqual(new Set([0]));
});
