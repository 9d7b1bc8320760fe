// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { NO_LATENESS } from "../../domain/rules/lateness";
import { type KV, provideResource, withdrawResource } from "../../engine";
import { encodeBatch } from "../../io/formats/avro/batch";
import { CountPerVideo } from "../../transforms/count-per-video";
import { DecodeBatches } from "../../transforms/decode-batches";
import { DedupeByEventId } from "../../transforms/dedupe-by-event-id";
import type { BlockElement, CountElement } from "../../transforms/elements";
import { FiredPanes } from "../../transforms/fired-panes";
import { cellsOf, columnsOf, T0 } from "../domain/model";
import { event } from "./elements";

const NAME = "test/fired-panes";
const SHARDS = 2;
const MINUTE = minuteOf(T0);
const AMPLE = 2 ** 30;

/** Decodes one message in a bundle of its own, as a worker does: each time into a block with another id. */
function blockOf(events: readonly VideoEvent[]): BlockElement {
  const decode = new DecodeBatches({ dedupePartitions: 1, paneCache: "", allowedLatenessMs: NO_LATENESS });
  const payload = encodeBatch(columnsOf(events), { receivedAtMs: T0, producerId: "ingest", batchId: "" });
  expect([...decode.process({ kind: "batch", payload })]).toEqual([]);
  const [block] = [...decode.finishBundle()].map(
    ({ value }) => (value as { blocks: KV<string, BlockElement> }).blocks.value,
  );
  return block!;
}

/** What a firing of the window says, with or without a memory: the cells, and each shard's books. */
function firing(blocks: readonly BlockElement[], firedPanes?: string, minute = MINUTE): unknown {
  const options = { dedupePartitions: 1, videoShards: SHARDS, paneCache: "" };
  const dedupe = new DedupeByEventId({ ...options, ...(firedPanes === undefined ? {} : { firedPanes }) });
  const its = blocks.map((block) => ({ ...block, minute }));
  const counts = [...dedupe.process({ key: "0", value: its })];
  return Array.from({ length: SHARDS }, (_, shard) => {
    const value = counts.filter(({ key }) => key === String(shard)).map((each) => each.value as CountElement);
    const parts = [...new CountPerVideo().process({ key: String(shard), value })];
    return { cells: cellsOf(parts.map((part) => part.counts)), books: parts.map(({ books }) => books) };
  });
}

let panes: FiredPanes;
function remember(maxBytes: number): void {
  panes = new FiredPanes(maxBytes);
  withdrawResource(NAME);
  provideResource(NAME, panes);
}
beforeEach(() => remember(AMPLE));
afterEach(() => withdrawResource(NAME));

const events = fc.array(
  fc
    .record({ id: fc.integer({ min: 0, max: 30 }), video: fc.integer({ min: 0, max: 4 }), value: fc.option(fc.nat(9)) })
    .map(({ id, video, value }) => event(`e${id}`, { videoId: `v${video}`, ...(value === null ? {} : { value }) })),
  { minLength: 1, maxLength: 12 },
);
/** A window's life: it takes in a message, goes back to a checkpoint with some of its blocks, or fires. */
const lives = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("message" as const), events }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("back" as const), kept: fc.nat(6), again: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("fire" as const), minute: fc.nat(1) }) },
  ),
  { maxLength: 20 },
);

test("every firing says what one without a memory says, over checkpoints gone back to and a memory that forgets", () => {
  fc.assert(
    fc.property(lives, fc.constantFrom(0, 20_000, AMPLE), (life, maxBytes) => {
      remember(maxBytes);
      const messages: VideoEvent[][] = [];
      let blocks: BlockElement[] = [];
      for (const step of life) {
        if (step.kind === "message") {
          messages.push(step.events);
          blocks.push(blockOf(step.events));
        } else if (step.kind === "back") {
          // The messages behind the checkpoint are decoded again, or are still to come.
          blocks = blocks.slice(0, step.kept);
          if (step.again) blocks.push(...messages.slice(blocks.length).map(blockOf));
          messages.length = blocks.length;
        } else if (blocks.length > 0) {
          const minute = MINUTE + step.minute;
          expect(firing(blocks, NAME, minute)).toEqual(firing(blocks, undefined, minute));
        }
        expect(panes.size.bytes).toBeLessThanOrEqual(maxBytes);
      }
    }),
  );
});

test("a minute that fires again opens its new blocks alone", () => {
  const [first, second] = [blockOf([event("a"), event("b")]), blockOf([event("b"), event("c")])];
  firing([first], NAME);
  // Bytes that are no block: to open them would throw.
  const opened = { ...first, block: new Uint8Array(3) };
  expect(firing([opened, second], NAME)).toEqual(firing([first, second]));
  expect(() => firing([opened, second], NAME, MINUTE + 1)).toThrow(RangeError);
});

test("a block of an earlier release, which has no id, is opened at every firing", () => {
  const { id: _, ...old } = blockOf([event("a"), event("b")]);
  for (let n = 0; n < 2; n++) expect(firing([old, old], NAME)).toEqual(firing([old, old]));
  expect(panes.size).toEqual({ panes: 0, bytes: 0 });
});

test("a pane that failed while it grew is made anew", () => {
  const [first, second] = [blockOf([event("a")]), blockOf([event("b")])];
  firing([first], NAME);
  expect(() => firing([first, { ...second, block: new Uint8Array(3) }], NAME)).toThrow(RangeError);
  expect(firing([first, second], NAME)).toEqual(firing([first, second]));
});
