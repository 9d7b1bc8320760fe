// SPDX-License-Identifier: Apache-2.0
import { refused, text } from "../../query-api/answer";
import { AnswerCache } from "../../query-api/answer-cache";
import type { Endpoint } from "../../query-api/endpoint";
import { invalid } from "../../query-api/problem";
import { HOUR, NOW_MS, QueryHarness } from "./query-harness";

const content = (body: string) => text("text/plain", body, "public, max-age=1");

describe("answers are shared for a moment", () => {
  let nowMs = 0;
  let reads = 0;
  const cacheOf = (maxBytes: number) => new AnswerCache({ maxBytes, keptMs: 250, now: () => nowMs });
  const read = async () => content(`answer ${++reads}`);
  beforeEach(() => {
    nowMs = 0;
    reads = 0;
  });

  it("who asks while an answer is being read waits for it, and who asks within a moment gets it, aged", async () => {
    const cache = cacheOf(1e6);
    const [first, second] = await Promise.all([cache.ask("a", read), cache.ask("a", read)]);
    expect(first).toMatchObject({ body: "answer 1" });
    expect(first).not.toHaveProperty("headers.Age");
    expect(second).toMatchObject({ body: "answer 1", headers: { Age: "1" } });
    nowMs = 249;
    expect(await cache.ask("a", read)).toMatchObject({ body: "answer 1", headers: { Age: "1" } });
    nowMs = 250;
    expect(await cache.ask("a", read)).toMatchObject({ body: "answer 2" });
    expect(await cache.ask("b", read)).toMatchObject({ body: "answer 3" });
  });

  it("an answer is kept from the second question of a moment on, and of what is asked once nothing is kept", async () => {
    const cache = cacheOf(1e6);
    for (let n = 0; n < 10_000; n++) await cache.ask(`once-${n}`, read);
    expect(cache.sizeBytes).toBe(0);
    reads = 0;
    expect(await cache.ask("a", read)).toMatchObject({ body: "answer 1" });
    nowMs = 249;
    const second = await cache.ask("a", read);
    expect(second).toMatchObject({ body: "answer 2" });
    expect(second).not.toHaveProperty("headers.Age");
    nowMs = 498;
    expect(await cache.ask("a", read)).toMatchObject({ body: "answer 2", headers: { Age: "1" } });
    nowMs = 2_000;
    for (const body of ["answer 3", "answer 4", "answer 4"]) expect(await cache.ask("a", read)).toMatchObject({ body });
  });

  it("what everybody asks for is read once a moment", async () => {
    const cache = cacheOf(1e6);
    await cache.ask("a", read);
    for (nowMs = 1; nowMs <= 10_000; nowMs++) await Promise.all([cache.ask("a", read), cache.ask("a", read)]);
    expect(reads).toBe(1 + 10_000 / 250);
  });

  it("the moment begins with the reading: what took long to read is not kept any longer", async () => {
    const cache = cacheOf(1e6);
    const slow = async () => {
      await undefined;
      nowMs = 400;
      return content("slow");
    };
    await Promise.all([cache.ask("a", slow), cache.ask("a", slow)]);
    expect(await cache.ask("a", read)).toMatchObject({ body: "answer 1" });
  });

  it("a failure is shared with who waits for it, and is not kept", async () => {
    const cache = cacheOf(1e6);
    const fail = async () => {
      throw new Error("away");
    };
    const both = await Promise.allSettled([cache.ask("a", fail), cache.ask("a", read)]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await cache.ask("a", read)).toMatchObject({ body: "answer 1" });
  });

  it("an answer that is kept is found by the URL of its question for the same moment, aged", async () => {
    const cache = cacheOf(20_000);
    const endpoint = cache.of({ path: "/v1/x", answer: read } as unknown as Endpoint);
    const ask = (wholeUrl: string, query = {}) =>
      endpoint.answer({ params: {}, query, get: () => undefined, wholeUrl });
    await ask("/v1/x");
    expect(cache.keptFor("/v1/x")).toBeUndefined();
    await ask("/v1/x");
    expect(cache.keptFor("/v1/x")?.answer).toMatchObject({ body: "answer 2", headers: { Age: "1" } });
    expect(cache.keptFor("/v1/x")?.endpoint.path).toBe("/v1/x");
    expect(cache.keptFor("/v1/y")).toBeUndefined();
    nowMs = 249;
    expect(cache.keptFor("/v1/x")?.answer).toMatchObject({ body: "answer 2" });
    nowMs = 250;
    expect(cache.keptFor("/v1/x")).toBeUndefined();
    await ask("/v1/x");
    expect(cache.keptFor("/v1/x")?.answer).toMatchObject({ body: "answer 3" });
    for (let n = 0; n < 200; n++) await ask(`/v1/x?n=${n >> 1}`, { n: `${n >> 1}` });
    expect(cache.keptFor("/v1/x")).toBeUndefined();
    expect(cache.keptFor("/v1/x?n=99")).toBeDefined();
    expect(cache.sizeBytes).toBeLessThanOrEqual(20_000);
  });

  it("of the spellings of a question two are found by their URL, and the bytes of each are counted", async () => {
    const cache = cacheOf(20_000);
    const endpoint = cache.of({ path: "/v1/x", answer: read } as unknown as Endpoint);
    const spellings = ["/v1/x?a=1&b=2", "/v1/x?b=2&a=1", "/v1/x?b=%32&a=1"];
    const sizes: number[] = [];
    await endpoint.answer({ params: {}, query: { a: "1", b: "2" }, get: () => undefined });
    for (const wholeUrl of spellings) {
      await endpoint.answer({ params: {}, query: { a: "1", b: "2" }, get: () => undefined, wholeUrl });
      sizes.push(cache.sizeBytes);
    }
    const found = spellings.map((url) => cache.keptFor(url) !== undefined);
    expect(found).toEqual([true, true, false]);
    expect([sizes[1]! - sizes[0]!, sizes[2]! - sizes[1]!]).toEqual([2 * spellings[1]!.length, 0]);
    nowMs = 300;
    for (let twice = 0; twice < 2; twice++) await cache.ask("later", read);
    expect(cache.sizeBytes).toBeLessThan(sizes[0]!);
  });

  it("no problem and no failure is found by its URL", async () => {
    const cache = cacheOf(20_000);
    const problems = async () => refused(invalid("no"));
    const endpoint = cache.of({ path: "/v1/x", answer: problems } as unknown as Endpoint);
    for (let twice = 0; twice < 2; twice++)
      await endpoint.answer({ params: {}, query: {}, get: () => undefined, wholeUrl: "/v1/x" });
    expect(cache.keptFor("/v1/x")).toBeUndefined();
  });

  it("keeps no more bytes than its bound, and forgets the oldest first", async () => {
    const cache = cacheOf(20_000);
    const large = async () => content("x".repeat(3_000));
    for (let n = 0; n < 100; n++) {
      await cache.ask(`large-${n >> 1}`, large);
      expect(cache.sizeBytes).toBeLessThanOrEqual(20_000);
    }
    expect(await cache.ask("large-49", read)).toMatchObject({ body: "x".repeat(3_000) });
    expect(await cache.ask("large-0", read)).toMatchObject({ body: "answer 1" });
    const huge = async () => content("x".repeat(30_000));
    await Promise.all([cache.ask("huge", huge), cache.ask("huge", huge)]);
    expect(cache.sizeBytes).toBeLessThanOrEqual(20_000);
    nowMs = 10_000;
    for (let twice = 0; twice < 2; twice++) await cache.ask("later", read);
    expect(cache.sizeBytes).toBeLessThan(1_000);
  });
});

it("in the API: one read for many, unknown videos too; what was not asked alike is not shared", async () => {
  let totals = 0;
  let nowMs = 0;
  const harness = await QueryHarness.start((one) => ({
    answers: new AnswerCache({ maxBytes: 1e6, keptMs: 250, now: () => nowMs }),
    counters: {
      totals: (videoId) => {
        totals++;
        return one.reader.totals(videoId);
      },
      read: (...asked) => one.reader.read(...asked),
      top: (...asked) => one.reader.top(...asked),
      rising: (...asked) => one.reader.rising(...asked),
    },
  }));
  await harness.count("v", NOW_MS - HOUR, 3);
  const first = await harness.get("/v1/videos/v").expect(200);
  await harness.get("/v1/videos/v").expect(200);
  await harness.count("v", NOW_MS - HOUR, 4);
  const kept = await harness.get("/v1/videos/v").expect(200).expect("Age", "1");
  expect(kept.body).toEqual(first.body);
  expect(totals).toBe(2);
  await harness.get("/v1/videos/v", { "If-None-Match": first.headers.etag! }).expect(304);
  await harness.get("/v1/videos/v?x=1").expect(400);
  for (let twice = 0; twice < 2; twice++) await harness.get("/v1/videos/none").expect(200);
  await harness.get("/v1/videos/none").expect(200).expect("Age", "1");
  expect(totals).toBe(4);
  const counts = async (query: string) => (await harness.get(`/v1/videos/v/counts${query}`).expect(200)).body.count;
  expect([await counts("?eventType=LIKE"), await counts("?eventType=VIEW"), await counts("")]).toEqual([0, 4, 4]);
  nowMs = 250;
  const newer = await harness.get("/v1/videos/v").expect(200);
  expect(newer.body.totals.VIEW.count).toBe(4);
  expect(newer.headers).not.toHaveProperty("age");
  await harness.stop();
});
