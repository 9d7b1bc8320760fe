// SPDX-License-Identifier: Apache-2.0
/** The client's handling of an answer, of its options and of time, without a server. */
import { checkOptions } from "../../client/check-options";
import { classify } from "../../client/classify-answer";
import { EventError, EventsError } from "../../client/errors";
import { Call, EventBatch } from "../../client/event-batch";
import { boundedText, impossible, isNeverMade, pause } from "../../client/exchange";
import { messageOf } from "../../client/message-of";
import { uuidV7 } from "../../client/uuid-v7";

const NOW = Date.parse("2026-11-21T10:00:00Z");
const of = (status: number, text = "", retryAfter: string | null = null, events?: number) =>
  classify(status, retryAfter, text, NOW, events);

describe("a 202", () => {
  const rejection = { index: 1, eventId: null, reason: "bad-value", detail: "d" };
  const said = (accepted: unknown, rejected: unknown, events?: number) =>
    of(202, JSON.stringify({ accepted, rejected }), null, events);

  it("that accounts for every event once is an answer", () => {
    expect(said(2, [rejection], 3)).toEqual({ kind: "answered", accepted: 2, rejected: [rejection] });
    expect(said(0, [rejection, { ...rejection, index: 0 }], 2)).toMatchObject({ kind: "answered", accepted: 0 });
    expect(said(0, [], 0).kind).toBe("answered");
    expect(said(5, []).kind).toBe("answered");
  });

  it("alone is one: the same body with another status is none", () => {
    const body = JSON.stringify({ accepted: 1, rejected: [] });
    expect(of(202, body, null, 1).kind).toBe("answered");
    for (const status of [200, 201, 203, 204, 503]) expect(of(status, body, null, 1).kind).toBe("retry");
    expect(of(400, body, null, 1).kind).toBe("refused");
  });

  it.each<[string, unknown, unknown, number]>([
    ["too few", 1, [rejection], 3],
    ["too many", 3, [rejection], 3],
    ["one twice", 1, [rejection, rejection], 3],
    ["one that was not sent", 1, [{ ...rejection, index: 2 }], 2],
    ["a number that is no count", -1, [], -1],
    ["a broken number", 0.5, [], 1],
    ["a list that is none", 1, "x", 1],
    ["nothing", undefined, undefined, 1],
    ["a rejection that is null", 1, [null], 2],
    ["a rejection that is a text", 1, ["x"], 2],
    ["a rejection without a reason", 1, [{ index: 0, detail: "d" }], 2],
    ["a rejection without a detail", 1, [{ index: 0, reason: "r" }], 2],
    ["a rejection of a negative index", 1, [{ ...rejection, index: -1 }], 2],
  ])("that accounts for %s is none, and is asked again", (_what, accepted, rejected, events) => {
    expect(said(accepted, rejected, events)).toMatchObject({ kind: "retry", failure: true });
  });

  it("that is cut off, or no object, is none", () => {
    for (const text of ['{"accepted":1', "", "null", "5", '"accepted"']) expect(of(202, text).kind).toBe("retry");
  });
});

describe("any other answer", () => {
  it.each([400, 401, 404, 409, 413, 415, 422, 499])("%d refuses the body for ever", (status) => {
    expect(of(status, '{"detail":"no","reason":"not-json"}')).toEqual({
      ...{ kind: "refused", status, detail: `${status} no`, reason: "not-json" },
    });
    expect(of(status, "plain words")).toStrictEqual({ kind: "refused", status, detail: `${status} plain words` });
  });

  it.each([200, 301, 399, 408, 425, 429, 500, 503, 599])("%d is worth a retry", (status) => {
    expect(of(status, '{"detail":"later"}')).toEqual({
      ...{ kind: "retry", detail: `${status} later`, retryAfterMs: 0, failure: status !== 429 },
    });
  });

  it("shows at most 200 characters of what it does not know, and none where there is none", () => {
    expect(of(500, "x".repeat(300))).toMatchObject({ detail: `500 ${"x".repeat(200)}` });
    expect(of(500)).toMatchObject({ detail: "500" });
    expect(of(400, '{"reason":5}')).not.toHaveProperty("reason");
  });

  it.each<[string, number]>([
    ["3", 3_000],
    [" 3 ", 3_000],
    ["0", 0],
    ["-3", 0],
    ["1.5", 0],
    ["x", 0],
    ["119", 119_000],
    ["121", 120_000],
    [new Date(NOW + 5_000).toUTCString(), 5_000],
    [new Date(NOW - 5_000).toUTCString(), 0],
    [new Date(NOW + 500_000).toUTCString(), 120_000],
  ])("with Retry-After %j waits %d ms", (header, waitMs) => {
    expect(of(503, "", header)).toMatchObject({ retryAfterMs: waitMs });
  });
});

describe("options", () => {
  it("at their bounds are taken, beyond them are named", () => {
    expect(() => checkOptions({})).not.toThrow();
    for (const name of [
      "lingerMs",
      "connectTimeoutMs",
      "requestTimeoutMs",
      "deliverWithinMs",
      "drainWithinMs",
      "retryBaseMs",
      "retryMaxMs",
    ] as const) {
      for (const good of [0, 2 ** 31 - 1]) expect(() => checkOptions({ [name]: good })).not.toThrow();
      for (const bad of [-1, 2 ** 31, Number.NaN, "5"])
        expect(() => checkOptions({ [name]: bad as number })).toThrow(
          `${name} must be a number from 0 to ${2 ** 31 - 1}`,
        );
    }
    for (const name of [
      "batchSize",
      "maxBatchBytes",
      "maxBufferedEvents",
      "maxBufferedBytes",
      "maxInFlightRequests",
      "maxConnections",
    ] as const) {
      for (const good of [1, 1e9]) expect(() => checkOptions({ [name]: good })).not.toThrow();
      expect(() => checkOptions({ [name]: 0 })).toThrow(RangeError);
    }
    for (const name of ["retries", "maxWaitingEvents"] as const) {
      for (const good of [0, Number.POSITIVE_INFINITY]) expect(() => checkOptions({ [name]: good })).not.toThrow();
      expect(() => checkOptions({ [name]: -1 })).toThrow(`${name} must be`);
    }
  });
});

describe("a call", () => {
  const failure = (index: number) => new EventError("bad-value", `no ${index}`, "e", index);

  it("of nothing is done; one of several when the last has its answer", async () => {
    await new Call(0, false).done;
    const call = new Call(2, false);
    let done = false;
    call.done.then(() => {
      done = true;
    });
    call.settle(undefined);
    await pause(0, undefined);
    expect([done, call.waiting]).toEqual([false, 1]);
    call.settle(undefined);
    await call.done;
  });

  it("of a list fails with all that failed, in their order, and says how many did not", async () => {
    const call = new Call(3, false);
    call.settle(failure(2));
    call.settle(undefined);
    call.settle(failure(0));
    const error = (await call.done.catch((reason: unknown) => reason)) as EventsError;
    expect(error).toBeInstanceOf(EventsError);
    expect([error.accepted, error.rejected.map(({ index }) => index), error.reason]).toEqual([1, [0, 2], "bad-value"]);
    expect(error.message).toBe("2 of 3 events were not accepted: bad-value: no 0");
    expect(new EventsError(0, []).reason).toBe("undelivered");
  });

  it("of one event fails with that event's error", async () => {
    const call = new Call(1, true);
    const error = failure(0);
    call.settle(error);
    await expect(call.done).rejects.toBe(error);
    expect([error.name, error.message, new EventError("closed", "", null).index]).toEqual([
      "EventError",
      "bad-value: no 0",
      0,
    ]);
  });
});

describe("a batch", () => {
  it("is the list of its events, counts its bytes, and halves the larger part first", () => {
    const batch = new EventBatch();
    const call = new Call(3, false);
    for (let index = 0; index < 3; index++) {
      const json = `{"n":${index}}`;
      batch.add({ eventId: `e${index}`, json, sizeBytes: json.length, index, call });
    }
    expect(new TextDecoder().decode(batch.body())).toBe('[{"n":0},{"n":1},{"n":2}]');
    expect(batch.sizeBytes).toBe(batch.body().length + 1);
    const halves = batch.halves();
    expect(halves.map(({ events }) => events.map(({ index }) => index))).toEqual([[0, 1], [2]]);
    expect(halves[1]!.sizeBytes).toBe(halves[1]!.body().length + 1);
  });
});

describe("requests", () => {
  it("that can never be made are known before", () => {
    const url = (text: string) => new URL(text);
    expect(impossible(url("http://h/"), {})).toBeUndefined();
    expect(impossible(url("https://h/"), { a: "b" })).toBeUndefined();
    expect(impossible(url("ftp://h/"), {})).toMatch(/begins with http:\/\/ or https:\/\/, not with ftp:$/);
    expect(impossible(url("http://u:p@h/"), {})).toMatch(/credentials/);
    expect(impossible(url("http://h/"), { "a b": "c" })).toBeDefined();
    const failed = (cause?: unknown) => new TypeError("fetch failed", { cause });
    for (const words of ["bad port", "unknown scheme", "URL scheme must be a HTTP(S) scheme"])
      expect(isNeverMade(failed(new Error(words)))).toBe(true);
    for (const other of [failed(new Error("connect ECONNREFUSED")), failed(), failed("bad port"), "bad port", null])
      expect(isNeverMade(other)).toBe(false);
  });

  const inPieces = (pieces: Uint8Array[]) =>
    new Response(
      new ReadableStream({
        start: (c) => {
          for (const piece of pieces) c.enqueue(piece);
          c.close();
        },
      }),
    );

  it("are answered in text, whole, whatever pieces it comes in", async () => {
    const bytes = new TextEncoder().encode("é-ü");
    expect(await boundedText(inPieces([...bytes].map((byte) => Uint8Array.of(byte))))).toBe("é-ü");
    expect(await boundedText(new Response(null))).toBe("");
  });

  it("are answered in text up to a bound", async () => {
    const large = new Uint8Array(33 << 20);
    await expect(boundedText(inPieces([large, large]))).rejects.toThrow(/longer than 67108864 bytes/);
    expect(await boundedText(inPieces([new Uint8Array(32 << 20), new Uint8Array(32 << 20)]))).toHaveLength(64 << 20);
  });

  it("pause until their time, or at once where they are given up", async () => {
    const given = new AbortController();
    const paused = pause(1e9, given.signal);
    given.abort();
    await paused;
    await pause(1e9, given.signal);
    await pause(1, undefined);
  });
});

it("whatever was thrown has words", () => {
  expect(messageOf(new Error("a"))).toBe("a");
  expect(messageOf(new Error("a", { cause: new Error("b") }))).toBe("a: b");
  expect(messageOf("text")).toBe("text");
});

it("an id carries the time it is given in its first 48 bits", () => {
  const ids = [0, 1, NOW, 2 ** 48 - 1].map((timeMs) => uuidV7(timeMs));
  expect(ids.map((id) => Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16))).toEqual([0, 1, NOW, 2 ** 48 - 1]);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
