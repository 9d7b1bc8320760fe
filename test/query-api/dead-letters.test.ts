// SPDX-License-Identifier: Apache-2.0
/** /v1/dead-letters: what was refused, and sending it again. */
import pino from "pino";
import { Registry } from "prom-client";
import request from "supertest";
import { createIngestRouter } from "../../ingest-api/ingest-router";
import { iso, NOW_MS, QueryHarness } from "./query-harness";

let harness: QueryHarness;
beforeEach(async () => {
  let ingest: ReturnType<typeof createIngestRouter> | undefined;
  harness = await QueryHarness.start((its) => ({
    replay: {
      letters: its.deadLetters,
      again: (letter) => {
        ingest ??= writeApi(its);
        return ingest.again(Buffer.from(letter.payload), letter.contentType);
      },
    },
  }));
});
afterEach(() => harness.stop());

/** The write API over the same stores, as `serve` has it. */
function writeApi({ log, deadLetters, nowMs }: QueryHarness) {
  return createIngestRouter({
    log,
    deadLetters,
    registry: new Registry(),
    clock: () => nowMs,
    recentStamps: [],
    logger: pino({ level: "silent" }),
  });
}

const refuse = (event: object, reason: "bad-video-id" | "too-old" = "bad-video-id", detail = "no video id") =>
  harness.deadLetters.append([
    {
      receivedAtMs: NOW_MS,
      reason,
      detail,
      payload: Buffer.from(JSON.stringify(event)),
      contentType: "application/json",
      source: "ingest",
    },
  ]);
const replay = (body: object) => request(harness.app).post("/v1/dead-letters/replay").send(body);
const EVENT = { eventId: "e-1", videoId: "cats-42", eventType: "VIEW", eventTime: NOW_MS - 1_000 };

it("tells by reason how many wait, with the newest as a sample", async () => {
  await harness.get("/v1/dead-letters").expect(200, { reasons: [] });
  await refuse({ ...EVENT, videoId: "a b" });
  await refuse({ ...EVENT, videoId: "c d" }, "bad-video-id", "the newest");
  await refuse({ ...EVENT, eventTime: 0 }, "too-old");
  const { body } = await harness.get("/v1/dead-letters").expect(200);
  expect(body.reasons).toEqual([
    {
      reason: "bad-video-id",
      waiting: 2,
      more: false,
      sample: {
        id: expect.any(String),
        receivedAt: iso(NOW_MS),
        detail: "the newest",
        payload: JSON.stringify({ ...EVENT, videoId: "c d" }),
      },
    },
    expect.objectContaining({ reason: "too-old", waiting: 1 }),
  ]);
});

/** Letters of `count` events, in one call of the store. */
const refuseMany = (count: number, to = harness) =>
  to.deadLetters.append(
    Array.from({ length: count }, (_, n) => ({
      ...({ receivedAtMs: NOW_MS, reason: "bad-video-id", detail: "no video id" } as const),
      payload: Buffer.from(JSON.stringify({ ...EVENT, eventId: `e-${n}` })),
      ...({ contentType: "application/json", source: "ingest" } as const),
    })),
  );

it("counts a thousand of a reason, and says where there are more", async () => {
  const told = async () => (await harness.get("/v1/dead-letters").expect(200)).body.reasons[0];
  await refuseMany(1_000);
  expect(await told()).toMatchObject({ waiting: 1_000, more: false });
  await refuse(EVENT, "bad-video-id", "the newest");
  expect(await told()).toMatchObject({ waiting: 1_000, more: true, sample: { detail: "the newest" } });
});

it("a replay takes 500 letters, and the next one the others", async () => {
  const again = async () => undefined;
  const other = await QueryHarness.start((its) => ({ replay: { letters: its.deadLetters, again } }));
  await refuseMany(501, other);
  for (const accepted of [500, 1, 0]) {
    const asked = request(other.app).post("/v1/dead-letters/replay").send({ reason: "bad-video-id" });
    expect((await asked.expect(200)).body).toMatchObject({ accepted, refused: 0 });
  }
  await other.stop();
});

it("a replay goes on behind letters that are refused again", async () => {
  const again = async ({ payload }: { payload: Uint8Array }) =>
    Buffer.from(payload).includes('"mended"') ? undefined : "still no id";
  const other = await QueryHarness.start((its) => ({ replay: { letters: its.deadLetters, again } }));
  const letter = (eventId: string) => ({
    ...({ receivedAtMs: NOW_MS, reason: "bad-video-id", detail: "no video id" } as const),
    payload: Buffer.from(JSON.stringify({ ...EVENT, eventId })),
    ...({ contentType: "application/json", source: "ingest" } as const),
  });
  await other.deadLetters.append([...Array(1_000).fill(letter("no")), ...Array(3).fill(letter("mended"))]);
  const replayed = (body: object) =>
    request(other.app)
      .post("/v1/dead-letters/replay")
      .send({ reason: "bad-video-id", ...body });
  const { body: first } = await replayed({}).expect(200);
  expect(first).toMatchObject({ accepted: 0, refused: 500, cursor: expect.any(String) });
  const { body: second } = await replayed({ cursor: first.cursor }).expect(200);
  expect(second).toMatchObject({ accepted: 0, refused: 500, cursor: expect.any(String) });
  const { body: last } = await replayed({ cursor: second.cursor }).expect(200);
  expect(last).toEqual({ accepted: 3, refused: 0, examples: [] });
  expect((await replayed({ cursor: "of-nobody" }).expect(400)).body.detail).toContain("cursor");
  await other.stop();
});

it("a replay makes durable what is accepted now, once, and leaves the rest as it is", async () => {
  await refuse(EVENT);
  await refuse({ ...EVENT, videoId: "still no id" });
  const { body } = await replay({ reason: "bad-video-id" }).expect(200);
  expect(body).toEqual({
    accepted: 1,
    refused: 1,
    examples: [{ id: expect.any(String), detail: expect.stringMatching(/^bad-video-id: /) }],
  });
  expect((await harness.log.read(0, 10, 1 << 20)).map(({ events }) => events)).toEqual([1]);
  const left = await harness.get("/v1/dead-letters").expect(200);
  expect(left.body.reasons).toMatchObject([{ reason: "bad-video-id", waiting: 1 }]);
  expect((await replay({ reason: "bad-video-id" }).expect(200)).body).toMatchObject({ accepted: 0, refused: 1 });
  expect(await harness.deadLetters.list({ limit: 10 })).toHaveLength(2);
});

it("refuses a reason that is none", async () => {
  await replay({ reason: "because" }).expect(400);
  await replay({}).expect(400);
});

it("is not there where the service cannot send letters again", async () => {
  const other = await QueryHarness.start();
  await other.get("/v1/dead-letters").expect(404);
  await other.stop();
});
