// SPDX-License-Identifier: Apache-2.0
import request from "supertest";
import type { CounterStore } from "../../io/ports";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { DAY, FINAL_AFTER_MS, HOUR, iso, MINUTE, NOW_MS, QueryHarness, RAW_RETENTION_MS } from "./query-harness";

const T = Date.parse("2026-11-21T02:00:00Z");
const NEXT_MINUTE = NOW_MS - 20_000 + MINUTE;

describe("freshness, states and caching", () => {
  let harness: QueryHarness;
  const stores = emptiedStores();
  beforeEach(async () => {
    harness = await QueryHarness.start(undefined, (await stores()).log);
  });
  afterEach(() => harness.stop());
  const counts = (startMs: number, endMs: number, more = "") =>
    harness.get(`/v1/videos/v/counts?eventType=VIEW&start=${iso(startMs)}&end=${iso(endMs)}${more}`).expect(200);
  const statesOf = (body: { buckets: { state: string }[] }) => body.buckets.map((bucket) => bucket.state);

  it("completeThrough is now when everything is counted, else when the first uncounted entry was accepted", async () => {
    const first = await harness.accept(T, 3);
    const { appendedAtMs } = (await harness.log.firstAfter(0))!;
    harness.nowMs = appendedAtMs + 5000;
    const waiting = (await harness.get("/v1/videos/v")).body;
    expect([waiting.asOf, waiting.completeThrough]).toEqual([iso(harness.nowMs), iso(appendedAtMs)]);
    await harness.ledger.completePass(first.position, [], [T / MINUTE]);
    const counted = (await harness.get("/v1/videos/v")).body;
    expect([counted.asOf, counted.completeThrough]).toEqual([iso(harness.nowMs), iso(harness.nowMs)]);
  });

  it("the checkpoint and the audit marks are read before the counters they speak of", async () => {
    const order: string[] = [];
    const noted = <Asked extends unknown[], Found>(name: string, read: (...asked: Asked) => Found) => {
      return (...asked: Asked): Found => {
        order.push(name);
        return read(...asked);
      };
    };
    const watched = await QueryHarness.start(({ ledger, reader, log }) => ({
      progress: new SqliteLogProgress(
        log,
        {
          countedThrough: noted("checkpoint", () => ledger.countedThrough()),
          checkpoint: () => ledger.checkpoint(),
          pending: () => ledger.pending(),
          deferred: () => ledger.deferred(),
        },
        ledger,
      ),
      ledger: {
        auditedCounts: noted("audited", (...range) => ledger.auditedCounts(...range)),
        audits: (limit) => ledger.audits(limit),
        books: (from, to) => ledger.books(from, to),
      },
      counters: {
        totals: noted("counters", (id) => reader.totals(id)),
        read: noted("counters", (...asked) => reader.read(...asked)),
        top: noted("counters", (...asked) => reader.top(...asked)),
        rising: noted("counters", (...asked) => reader.rising(...asked)),
      },
    }));
    for (const path of ["/v1/videos/v", "/v1/videos/v/counts?eventType=VIEW", "/v1/top?eventType=VIEW"]) {
      order.length = 0;
      await request(watched.app).get(path).expect(200);
      expect(order.filter((one) => one !== "audited")).toEqual(["checkpoint", "counters"]);
      expect(order.at(-1)).toBe("counters");
    }
    await watched.stop();
  });

  it("a bucket is final once the lateness horizon has passed its end", async () => {
    const lastFinalMs = NEXT_MINUTE - MINUTE - FINAL_AFTER_MS;
    const { body, headers } = await counts(lastFinalMs - MINUTE, lastFinalMs + MINUTE);
    expect(statesOf(body)).toEqual(["final", "provisional"]);
    expect(headers["cache-control"]).toBe("public, max-age=1");
    const past = await counts(lastFinalMs - MINUTE, lastFinalMs);
    expect(past.headers["cache-control"]).toBe("public, max-age=60, must-revalidate");
  });

  it("a bucket with all its minutes audited is audited, until one of them changes", async () => {
    await harness.audit(T, T + HOUR);
    const hours = await counts(T - HOUR, T + 2 * HOUR, "&granularity=hour");
    expect(statesOf(hours.body)).toEqual(["final", "audited", "final"]);
    expect(hours.headers["cache-control"]).toBe("public, max-age=60, must-revalidate");
    const hour = await counts(T, T + HOUR);
    expect(new Set(statesOf(hour.body))).toEqual(new Set(["audited"]));
    expect(hour.headers["cache-control"]).toBe("public, max-age=60, must-revalidate");
    const top = await harness.get(`/v1/top?eventType=VIEW&start=${iso(T)}&end=${iso(T + HOUR)}`);
    expect(top.headers["cache-control"]).toBe("public, max-age=60, must-revalidate");
    await harness.ledger.addObjects([], [T / MINUTE + 7]);
    const changed = await counts(T, T + HOUR, "&granularity=hour");
    expect(statesOf(changed.body)).toEqual(["final"]);
    expect(statesOf((await counts(T + 6 * MINUTE, T + 9 * MINUTE)).body)).toEqual(["audited", "final", "audited"]);
  });

  it("an audited bucket is closed once no event can be accepted for it, and only then kept for long", async () => {
    const path = `/v1/videos/v/counts?eventType=VIEW&start=${iso(T)}&end=${iso(T + HOUR)}&granularity=hour`;
    const at = async (nowMs: number) => {
      harness.nowMs = nowMs;
      const { body, headers } = await harness.get(path).expect(200);
      return [statesOf(body)[0], headers["cache-control"]];
    };
    const horizonMs = T + HOUR + RAW_RETENTION_MS;
    expect(await at(horizonMs)).toEqual(["final", "public, max-age=60, must-revalidate"]);
    await harness.audit(T, T + HOUR);
    expect(await at(T + HOUR + FINAL_AFTER_MS - 1)).toEqual(["provisional", "public, max-age=1"]);
    expect(await at(T + HOUR + FINAL_AFTER_MS)).toEqual(["audited", "public, max-age=60, must-revalidate"]);
    expect(await at(horizonMs - 1)).toEqual(["audited", "public, max-age=60, must-revalidate"]);
    expect(await at(horizonMs)).toEqual(["closed", "public, max-age=86400"]);
    // An operator's backfill reopens it.
    await harness.ledger.addObjects([], [T / MINUTE]);
    expect(await at(horizonMs)).toEqual(["final", "public, max-age=60, must-revalidate"]);
  });

  it("a value that changed after its bucket was final says how often, in every answer, and only then", async () => {
    await harness.count("v", T, 5, 50n);
    await harness.count("v", T + HOUR, 1, 10n);
    await harness.count("v", T, 6, 60n, "VIEW", 6, { finalBeforeMinute: NOW_MS / MINUTE });
    const range = `start=${iso(T)}&end=${iso(T + 2 * HOUR)}&granularity=hour`;
    const counted = (await harness.get(`/v1/videos/v/counts?eventType=VIEW&${range}`)).body;
    expect(counted.buckets).toEqual([
      { start: iso(T), count: 6, state: "final", revision: 1 },
      { start: iso(T + HOUR), count: 1, state: "final" },
    ]);
    const summed = (await harness.get(`/v1/videos/v/stats?eventType=VIEW&function=SUM&${range}`)).body;
    expect(
      summed.buckets.map(({ value, revision }: { value: number; revision?: number }) => [value, revision]),
    ).toEqual([
      [60, 1],
      [10, undefined],
    ]);
    const times = { start: iso(T), end: iso(T + 2 * HOUR), granularity: "hour" };
    const { body } = await harness.query({ videoIds: ["v"], eventTypes: ["VIEW"], ...times });
    expect(body.series[0]).toMatchObject({ values: { COUNT: 7 }, buckets: [{ COUNT: 6, revision: 1 }, { COUNT: 1 }] });
    expect("revision" in body.series[0].values || "revision" in body.series[0].buckets[1]).toBe(false);
  });

  it("states of a long range are found piece by piece", async () => {
    const start = NEXT_MINUTE - MINUTE - 40 * DAY - (NEXT_MINUTE % DAY);
    const from = start - (start % DAY);
    await harness.audit(from + 6 * DAY, from + 9 * DAY);
    const { body } = await counts(from, from + 30 * DAY, "&granularity=day");
    expect(statesOf(body).flatMap((state, day) => (state === "closed" ? [day] : []))).toEqual([6, 7, 8]);
    const hours = await counts(from, from + 30 * DAY, "&granularity=hour");
    expect(statesOf(hours.body).filter((state) => state === "closed")).toHaveLength(72);
  });

  it("neither an open minute nor one that accepted events wait for is called audited or final", async () => {
    await harness.audit(NEXT_MINUTE - 2 * MINUTE, NEXT_MINUTE);
    const now = await counts(NEXT_MINUTE - 2 * MINUTE, NEXT_MINUTE);
    expect(statesOf(now.body)).toEqual(["provisional", "provisional"]);
    await harness.accept(T, 1);
    const { appendedAtMs } = (await harness.log.firstAfter(0))!;
    harness.nowMs = appendedAtMs + DAY;
    const minute = Math.floor(appendedAtMs / MINUTE) * MINUTE;
    expect(statesOf((await counts(minute, minute + MINUTE)).body)).toEqual(["provisional"]);
  });

  it("an answer that has not changed is 304 to its ETag, with the newer completeThrough as a header", async () => {
    await harness.count("v", T, 5);
    for (const path of [
      "/v1/videos/v",
      `/v1/videos/v/counts?eventType=VIEW&start=${iso(T)}&end=${iso(T + HOUR)}`,
      `/v1/videos/v/stats?eventType=VIEW&function=SUM&start=${iso(T)}&end=${iso(T + HOUR)}`,
      `/v1/ledger?start=${iso(T)}&end=${iso(T + HOUR)}`,
      "/openapi.json",
      "/docs",
    ]) {
      harness.nowMs = NOW_MS;
      const { etag } = (await harness.get(path).expect(200)).headers;
      expect(etag).toMatch(/^W\/"[\w-]+"$/);
      harness.nowMs = NOW_MS + 10_000;
      const again = await harness.get(path, { "If-None-Match": `"other", ${etag}` }).expect(304);
      expect(again.text).toBe("");
      expect(again.headers.etag).toBe(etag);
      expect(again.headers["cache-control"]).toBeDefined();
      if (path.startsWith("/v1/")) expect(again.headers["viewmill-complete-through"]).toBe(iso(NOW_MS + 10_000));
      await harness.get(path, { "If-None-Match": '"other"' }).expect(200);
    }
    const { etag } = (await harness.get("/v1/videos/v")).headers as { etag: string };
    await harness.count("v", T, 6);
    await harness.get("/v1/videos/v", { "If-None-Match": etag }).expect(200);
  });

  it("the ETag moves when a state does, and when the range's end is complete", async () => {
    const path = `/v1/videos/v/counts?eventType=VIEW&start=${iso(T)}&end=${iso(T + MINUTE)}`;
    const etagOf = async () => (await harness.get(path)).headers.etag;
    const final = await etagOf();
    await harness.audit(T, T + MINUTE);
    const audited = await etagOf();
    harness.nowMs = T;
    const open = await etagOf();
    harness.nowMs = T + MINUTE;
    await harness.ledger.addObjects([], [T / MINUTE]);
    const complete = await etagOf();
    expect(new Set([final, audited, open, complete]).size).toBe(4);
  });

  it("HEAD has the headers of GET and no body", async () => {
    const got = await harness.get("/v1/videos/v");
    const head = await request(harness.app).head("/v1/videos/v").expect(200);
    for (const name of ["etag", "content-length", "content-type", "cache-control"]) {
      expect(head.headers[name]).toBe(got.headers[name]);
    }
    expect(head.text ?? "").toBe("");
  });

  it("identical rankings are made once: together, and for a second after", async () => {
    let made = 0;
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const top: CounterStore["top"] = async () => {
      made++;
      await gate;
      return [{ videoId: `made-${made}`, count: 1 }];
    };
    const slow = await QueryHarness.start(({ reader }) => ({
      counters: {
        totals: (id) => reader.totals(id),
        read: (...asked) => reader.read(...asked),
        top,
        rising: (...asked) => reader.rising(...asked),
      },
    }));
    const ask = (type = "VIEW") =>
      slow
        .get(`/v1/top?eventType=${type}`)
        .then(({ body, headers }) => [body.videos[0].videoId, headers.age] as [string, string | undefined]);
    const together = [ask(), ask(), ask()];
    release();
    const found = await Promise.all(together);
    expect(found.map(([videoId]) => videoId)).toEqual(["made-1", "made-1", "made-1"]);
    // Whoever has not made a ranking is told its age, rounded up: no cache keeps it longer than its Cache-Control says.
    expect(found.map(([, age]) => age ?? "none").sort()).toEqual(["1", "1", "none"]);
    slow.nowMs += 999;
    expect(await ask()).toEqual(["made-1", "1"]);
    expect(await ask("LIKE")).toEqual(["made-2", undefined]);
    slow.nowMs += 1001;
    expect(await ask()).toEqual(["made-3", undefined]);
    await slow.stop();
  });
});
