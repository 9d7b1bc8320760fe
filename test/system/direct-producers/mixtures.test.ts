// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { LogMessage, LogPortion } from "../../../io/ports";
import { archivePortion } from "../../../pipelines/archiver/archive-portion";
import { T0 } from "../../domain/model";
import { openStores, type Stores } from "../golden/embedded-runner";
import { books, count, countedCells, deadReasons, RULES } from "./counted";
import { modelOf, type Published, payloadOf, publishedMessages } from "./forms";

const NOW = T0 + 30_000;

const messagesOf = (published: readonly Published[]): LogMessage[] =>
  published.map((each, index) => ({
    id: `pubsub-${index}`,
    payload: payloadOf(each),
    acceptedByMinute: undefined,
    appendedAtMs: each.publishedAtMs,
  }));

async function archive(stores: Stores, name: string, messages: readonly LogMessage[]) {
  const portion: LogPortion = {
    name,
    exact: false,
    messages: [...messages],
    done: async () => undefined,
    abandon: async () => undefined,
  };
  return archivePortion(portion, {
    archive: stores.archive,
    ledger: stores.ledger,
    payloadOf: async ({ payload }) => payload,
    rules: { rawRetentionMs: RULES.rawRetentionMs },
  });
}

async function withStores<T>(work: (stores: Stores) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "viewmill-direct-"));
  const stores = await openStores(folder);
  try {
    return await work(stores);
  } finally {
    await stores.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test("any mixture of forms, archived with redeliveries, gives the model's cells and books that balance", async () => {
  const redelivered = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 2 })), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(publishedMessages(NOW), redelivered, async (published, again) =>
      withStores(async (stores) => {
        const messages = messagesOf(published);
        const portions: LogMessage[][] = [[], [], []];
        messages.forEach((message, index) => {
          portions[index % 3]!.push(message);
        });
        for (const [message, portion] of again) portions[portion]!.push(messages[message % messages.length]!);
        for (const [index, portion] of portions.entries()) await archive(stores, `p-${index}`, portion);
        // The stream's source recognises a redelivered message by its id, in whichever bundle the message is.
        await count(stores, messages);
        const model = modelOf(published, RULES);
        expect(await countedCells(stores)).toEqual(model.cells);
        expect(await books(stores)).toEqual(model.books);
        expect(await deadReasons(stores)).toEqual(model.reasons);
      }),
    ),
    { numRuns: 30 },
  );
}, 180_000);

test("what the stream counts twice, because its source was made to repeat a message, stays counted once", async () => {
  await fc.assert(
    fc.asyncProperty(publishedMessages(NOW), async (published) =>
      withStores(async (stores) => {
        const messages = messagesOf(published);
        await count(stores, [...messages, ...messages.slice(0, 2)]);
        await count(stores, messages);
        expect(await countedCells(stores)).toEqual(modelOf(published, RULES).cells);
      }),
    ),
    { numRuns: 6 },
  );
}, 180_000);

test("the archiver says what came past the write API, and what it left to the stream's dead letters", async () => {
  const good = { eventId: "a", videoId: "v", eventType: "VIEW" };
  const base = { compression: "none" as const, publishedAtMs: NOW };
  const published: Published[] = [
    { ...base, form: "array", events: [good, { ...good, eventType: "view" }] },
    { ...base, form: "single", events: [{ ...good, eventTime: NOW - 31 * 86_400_000 }] },
  ];
  await withStores(async (stores) => {
    const messages = [...messagesOf(published), { ...messagesOf(published)[0]!, id: "x", payload: Buffer.from("{") }];
    expect(await archive(stores, "p", messages)).toMatchObject({
      messages: 3,
      events: 1,
      undecodable: 1,
      leftOut: 2,
      undeclared: 3,
    });
    expect(await deadReasons(stores)).toEqual([]);
  });
});
