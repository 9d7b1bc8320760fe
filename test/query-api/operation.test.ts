// SPDX-License-Identifier: Apache-2.0

import { collectDefaultMetrics } from "prom-client";
import request from "supertest";
import { BACKFILL_WRITER } from "../../domain/archive-name";
import type { AuditReport } from "../../io/ports";
import { StoreUnavailableError } from "../../io/ports";
import { auditsSchema } from "../../query-api/audit-schemas";
import { ledgerSchema, problemSchema, readySchema } from "../../query-api/schemas";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { DAY, HOUR, iso, MINUTE, QueryHarness } from "./query-harness";

const T = Date.parse("2026-11-21T10:00:00Z");
const at = (minutes: number) => T / MINUTE + minutes;

const report = (changes: Partial<AuditReport>): AuditReport => ({
  id: "one",
  startedAtMs: T,
  durationMs: 12.5,
  fromMs: T - HOUR,
  toMs: T,
  repair: false,
  runner: "direct",
  outcome: "equal",
  objectsRead: 1,
  events: 2,
  distinctEvents: 2,
  cellsCompared: 1,
  cellsDiffering: 0,
  cellsRepaired: 0,
  reusedEventIds: 0,
  lateEvents: 0,
  notComparable: [],
  differences: [],
  ...changes,
});

const OPERATIONS = [
  "get /",
  "get /assets/{name}",
  "get /client.js",
  "get /docs",
  "get /docs/{name}",
  "get /embed.js",
  "get /healthz",
  "get /metrics",
  "get /openapi.json",
  "get /readyz",
  "get /v1/alerts",
  "get /v1/audits",
  "get /v1/channels/{channelId}",
  "get /v1/channels/{channelId}/counts",
  "get /v1/channels/{channelId}/stats",
  "get /v1/channels/{channelId}/top",
  "get /v1/ledger",
  "get /v1/live",
  "get /v1/pixel.gif",
  "get /v1/top",
  "get /v1/trending",
  "get /v1/videos",
  "get /v1/videos/{videoId}",
  "get /v1/videos/{videoId}/badge.svg",
  "get /v1/videos/{videoId}/counts",
  "get /v1/videos/{videoId}/stats",
  "get /v1/webhooks",
  "post /v1/events",
  "post /v1/query",
  "post /v1/webhooks/replay",
  "put /v1/catalog/channels",
  "put /v1/catalog/videos",
];

describe("proof and operation", () => {
  let harness: QueryHarness;
  const stores = emptiedStores();
  beforeEach(async () => {
    harness = await QueryHarness.start(undefined, (await stores()).log);
  });
  afterEach(() => harness.stop());

  it("ledger: the books of every minute with events, whether they balance, and their sums", async () => {
    await harness.accept(T, 10);
    await harness.accept(T + MINUTE, 4);
    await harness.accept(T + 2 * MINUTE, 3);
    await harness.accept(T + HOUR, 99);
    await harness.ledger.completePass(
      2,
      [
        { name: "a", minute: at(0), events: 10, sizeBytes: 1 },
        { name: "b", minute: at(1), events: 4, sizeBytes: 1 },
      ],
      [at(0), at(1)],
    );
    const row = { part: 0, reusedIds: 0 };
    await harness.ledger.writeRows([
      { ...row, minute: at(0), received: 9, counted: 7, duplicate: 2, late: 1 },
      { ...row, minute: at(1), received: 3, counted: 3, duplicate: 0, late: 0 },
    ]);
    await harness.ledger.addObjects(
      [{ name: `old/${BACKFILL_WRITER}-1.avro`, minute: at(-5), events: 6, sizeBytes: 1 }],
      [at(-5)],
    );
    await harness.ledger.writeRows([{ ...row, minute: at(-5), received: 6, counted: 6, duplicate: 0, late: 0 }]);
    const letter = {
      reason: "not-json",
      detail: "",
      payload: new Uint8Array(1),
      contentType: "",
      source: "ingest",
    } as const;
    await harness.deadLetters.append([
      { ...letter, receivedAtMs: T },
      { ...letter, receivedAtMs: T + MINUTE - 1 },
      { ...letter, receivedAtMs: T + HOUR },
    ]);
    const { body } = await harness.get(`/v1/ledger?start=${iso(T - HOUR)}&end=${iso(T + HOUR - 1)}`).expect(200);
    expect(ledgerSchema.parse(body)).toBeTruthy();
    expect(body).toMatchObject({
      start: iso(T - HOUR),
      end: iso(T + HOUR),
      minutes: [
        { start: iso(T - 5 * MINUTE), accepted: 6, archived: 6, counted: 6, duplicate: 0, late: 0, balanced: true },
        { start: iso(T), accepted: 10, archived: 10, counted: 7, duplicate: 2, late: 1, balanced: true },
        { start: iso(T + MINUTE), accepted: 4, archived: 4, counted: 3, duplicate: 0, late: 0, balanced: false },
        { start: iso(T + 2 * MINUTE), accepted: 3, archived: 0, counted: 0, duplicate: 0, late: 0, balanced: false },
      ],
      totals: { accepted: 23, archived: 20, counted: 16, duplicate: 2, late: 1, balanced: false, rejected: 2 },
    });
  });

  it("ledger: the last 24 hours by default, at most 31 days", async () => {
    const usual = (await harness.get("/v1/ledger").expect(200)).body;
    expect(Date.parse(usual.end) - Date.parse(usual.start)).toBe(DAY);
    expect(usual.minutes).toEqual([]);
    await harness.get(`/v1/ledger?start=${iso(T - 31 * DAY)}&end=${iso(T)}`).expect(200);
    await harness.get(`/v1/ledger?start=${iso(T - 31 * DAY)}&end=${iso(T + 1)}`).expect(400);
  });

  it("audits: newest first, bounded, as the audit command prints them", async () => {
    const difference = {
      level: "minute",
      videoId: "v",
      eventType: "VIEW",
      startMs: T,
      archiveCount: 2,
      storedCount: 1,
      archiveSum: "36893488147419103232",
      storedSum: "0",
    } as const;
    await harness.ledger.addAudit(report({}));
    const two = { id: "two", startedAtMs: T + 1, outcome: "differences", cellsDiffering: 1 } as const;
    await harness.ledger.addAudit(
      report({ ...two, differences: [difference], notComparable: [{ minute: at(3), reason: "unreadable" }] }),
    );
    const { body } = await harness.get("/v1/audits").expect(200);
    expect(auditsSchema.parse(body)).toBeTruthy();
    expect(body.audits.map((audit: { id: string }) => audit.id)).toEqual(["two", "one"]);
    expect(body.audits[0]).toMatchObject({
      startedAt: iso(T + 1),
      from: iso(T - HOUR),
      to: iso(T),
      outcome: "differences",
      differences: [{ start: iso(T), archiveSum: "36893488147419103232" }],
      notComparable: [{ minute: iso(T + 3 * MINUTE), reason: "unreadable" }],
    });
    expect((await harness.get("/v1/audits?limit=1")).body.audits).toHaveLength(1);
    await harness.get("/v1/audits?limit=101").expect(400);
    const metrics = (await harness.get("/metrics")).text;
    expect(metrics).toContain('viewmill_last_audit_outcome{outcome="differences"} 1');
    expect(metrics).toContain('viewmill_last_audit_outcome{outcome="equal"} 0');
    expect(metrics).toContain("viewmill_last_audit_differing_cells 1");
    expect(body.audits[1]).not.toHaveProperty("comparedNothing");
    await harness.ledger.addAudit(report({ id: "three", startedAtMs: T + 2, events: 0, cellsCompared: 0 }));
    const [newest] = auditsSchema.parse((await harness.get("/v1/audits")).body).audits;
    expect(newest).toMatchObject({ id: "three", outcome: "equal", comparedNothing: true });
    // An equal audit of another hour, and of the totals, says nothing of the hour that differs.
    const elsewhere = { startedAtMs: T + 3, fromMs: T + HOUR, toMs: T + 2 * HOUR };
    await harness.ledger.addAudit(report({ id: "four", ...elsewhere }));
    await harness.ledger.addAudit(report({ id: "five", startedAtMs: T + 4, fromMs: 0, toMs: 0, totals: true }));
    const after = (await harness.get("/metrics")).text;
    expect(after).toContain('viewmill_last_audit_outcome{outcome="not-comparable"} 0');
    expect(after).toContain('viewmill_last_audit_outcome{outcome="differences"} 1');
    expect(after).toContain("viewmill_last_audit_differing_cells 1");
    expect(after).toContain(`viewmill_last_audit_start_seconds ${(T + 4) / 1000}`);
  });

  it("health is ok; readiness names every dependency and is 503 when one is not there", async () => {
    expect((await harness.get("/healthz").expect(200)).body).toEqual({ status: "ok" });
    const ready = await harness.get("/readyz").expect(200);
    expect(readySchema.parse(ready.body)).toEqual({
      ready: true,
      dependencies: [{ name: "log", ok: true, detail: "event log", required: true }],
    });
    harness.readiness = async () => [
      { name: "log", ok: true, detail: "event log" },
      { name: "stream", ok: false, detail: "<restarting>" },
    ];
    const { body } = await harness
      .get("/readyz")
      .expect(503)
      .expect("Content-Type", /problem\+json/);
    expect(body).toMatchObject({
      status: 503,
      detail: "not ready: stream",
      dependencies: [{ ok: true }, { ok: false }],
    });
    harness.readiness = async () => [{ name: "job", ok: false, detail: "away", required: false }];
    expect((await harness.get("/readyz").expect(200)).body.dependencies).toMatchObject([{ name: "job", ok: false }]);
    harness.readiness = () => Promise.reject(new Error("boom"));
    expect((await harness.get("/readyz").expect(503)).body.dependencies).toMatchObject([{ ok: false }]);
    await harness.get("/healthz").expect(200);
  });

  it("metrics: the process, requests by route, backlog and checkpoint lag", async () => {
    await harness.accept(T, 3);
    const { appendedAtMs } = (await harness.log.firstAfter(0))!;
    harness.nowMs = appendedAtMs + 7000;
    await harness.get("/v1/videos/v");
    await harness.get("/v1/videos/v/counts?eventType=none");
    await harness.get("/nowhere");
    const { text } = await harness
      .get("/metrics")
      .expect(200)
      .expect("Content-Type", /^text\/plain/);
    for (const line of [
      "viewmill_log_backlog_bytes 100",
      "viewmill_checkpoint_lag_seconds 7",
      "viewmill_log_head_position 1",
      'viewmill_http_request_seconds_count{route="/v1/videos/{videoId}",method="GET",status="200"} 1',
      'viewmill_http_request_seconds_count{route="/v1/videos/{videoId}/counts",method="GET",status="400"} 1',
      'viewmill_http_request_seconds_count{route="none",method="GET",status="404"} 1',
      "process_cpu_seconds_total",
      "nodejs_eventloop_lag_p99_seconds",
    ]) {
      expect(text).toContain(line);
    }
  });

  it("metrics on a registry that has the process metrics are not registered twice", async () => {
    const other = await QueryHarness.start((one) => {
      collectDefaultMetrics({ register: one.registry });
      return {};
    });
    await other.get("/metrics").expect(200);
    await other.stop();
  });

  it("the OpenAPI document has every path, and all it refers to", async () => {
    const { body } = await harness.get("/openapi.json").expect(200).expect("Content-Type", "application/json");
    expect(body.openapi).toMatch(/^3\.1\./);
    const called = Object.entries(body.paths).flatMap(([path, methods]) =>
      Object.keys(methods as object).map((method) => `${method} ${path}`),
    );
    expect(called.sort()).toEqual(OPERATIONS);
    const text = JSON.stringify(body);
    for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      expect(body.components.schemas).toHaveProperty(name!);
    }
    expect(text).not.toContain("__shared");
    expect(body.paths["/v1/videos/{videoId}/stats"].get.parameters).toMatchObject([
      { name: "videoId", in: "path", required: true, schema: { type: "string" } },
      {
        name: "eventType",
        in: "query",
        required: false,
        schema: { type: "string", pattern: "^[A-Z][A-Z0-9_]{0,31}$", default: "VIEW" },
      },
      { name: "start", required: false, schema: { type: "string", format: "date-time" } },
      { name: "end", required: false, schema: { type: "string", format: "date-time" } },
      { name: "granularity", required: false, schema: { enum: ["minute", "hour", "day", "week", "month"] } },
      { name: "tz", required: false },
      { name: "compare", required: false, schema: { enum: ["previous"] } },
      { name: "limit", required: false, schema: { minimum: 1, maximum: 10_000 } },
      { name: "cursor", required: false },
      { name: "function", required: true, schema: { enum: ["COUNT", "SUM", "AVERAGE"] } },
    ]);
    expect(body.paths["/v1/top"].get.parameters.at(-2)).toMatchObject({
      name: "limit",
      required: false,
      schema: { type: "integer", minimum: 1, maximum: 1000, default: 10 },
    });
    expect(body.components.schemas.Total.properties.sum).toMatchObject({ type: "integer" });
    const ids = Object.values(body.paths).flatMap((methods) =>
      Object.values(methods as object).map((o) => o.operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("the pages load nothing from elsewhere, and nothing in them is inline script", async () => {
    const docs = await harness
      .get("/docs")
      .expect(200)
      .expect("Content-Type", /^text\/html/);
    expect(docs.headers["content-security-policy"]).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    );
    expect(docs.text).not.toMatch(/https?:\/\/|\son\w+=|<style|\sstyle=|<script(?! type="module" src="\/docs\/)/);
    expect(docs.text).toContain("/v1/videos/{videoId}/counts");
    const dashboard = await harness
      .get("/")
      .expect(200)
      .expect("Content-Type", /^text\/html/);
    expect(dashboard.headers["content-security-policy"]).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    );
    expect(dashboard.text).not.toMatch(/https?:\/\/|\son\w+=|<style|<script(?! type="module" src="assets\/)/);
  });

  it("the dashboard's files are there under the names that it asks for, to be kept for ever", async () => {
    const { text } = await harness.get("/").expect(200);
    const names = [...text.matchAll(/"(assets\/[^"]+)"/g)].map(([, name]) => name);
    expect(names).toHaveLength(3);
    for (const name of names) {
      const { headers } = await harness.get(`/${name}`).expect(200);
      expect(headers["cache-control"]).toMatch(/max-age=31536000, immutable/);
      expect(headers["content-type"]).not.toMatch(/octet-stream/);
    }
    await harness.get("/assets/none.js").expect(404);
    await harness.get("/assets/..%2Findex.html").expect(404);
  });

  it("every refusal is a problem of RFC 9457", async () => {
    const counts = "/v1/videos/v/counts";
    const refusals: [path: string, status: number, detail: RegExp][] = [
      ["/nowhere", 404, /nothing at \/nowhere/],
      ["/v1/videos/", 404, /nothing/],
      ["/v1/videos/sp%20ace", 400, /^videoId: must be/],
      ["/v1/videos/%ff", 400, /percent-encoded/],
      [`/v1/videos/${"x".repeat(129)}`, 400, /videoId/],
      [`${counts}?eventType=view`, 400, /eventType: must match/],
      [`${counts}?eventType=VIEW&eventType=LIKE`, 400, /eventType/],
      [`${counts}?eventType=VIEW&start=yesterday`, 400, /start: must be an RFC 3339/],
      [`${counts}?eventType=VIEW&start=${iso(T)}&end=${iso(T)}`, 400, /before end/],
      [`${counts}?eventType=VIEW&start=${iso(T)}&end=${iso(T - 1)}`, 400, /before end/],
      [`${counts}?eventType=VIEW&granularity=year`, 400, /granularity/],
      [`${counts}?tz=Europe/Berlyn`, 400, /tz: must be a time zone/],
      [`${counts}?compare=next`, 400, /compare/],
      [`${counts}?compare=previous&limit=5`, 400, /without limit/],
      [`${counts}?cursor=abc`, 400, /cursor/],
      [`${counts}?limit=0`, 400, /limit/],
      [`${counts}?eventType=VIEW&strat=${iso(T)}`, 400, /strat/],
      ["/v1/videos/v/stats?eventType=VIEW", 400, /function/],
      ["/v1/videos/v/stats?eventType=VIEW&function=MEDIAN", 400, /function/],
    ];
    for (const [path, status, detail] of refusals) {
      const { body, headers } = await harness
        .get(path)
        .expect(status)
        .expect("Content-Type", "application/problem+json");
      expect(problemSchema.parse(body)).toMatchObject({ status, detail: expect.stringMatching(detail) });
      expect(body.type).toMatch(/^urn:viewmill:problem:/);
      expect(headers["cache-control"]).toBe("no-store");
    }
  });

  it("another method is 405 and says which are possible", async () => {
    for (const path of ["/v1/videos/v", "/v1/videos/v/counts", "/v1/top", "/v1/ledger", "/healthz", "/"]) {
      const { headers, body } = await request(harness.app).delete(path).expect(405);
      expect(headers.allow).toBe("GET, HEAD");
      expect(headers["content-type"]).toBe("application/problem+json");
      expect(body.status).toBe(405);
    }
    expect((await harness.get("/v1/query").expect(405)).headers.allow).toBe("POST");
  });

  it("a store that cannot be read is 503, a bug 500, neither with its inside", async () => {
    for (const [error, status] of [
      [new StoreUnavailableError("/secret/folder is gone"), 503],
      [new TypeError("secret"), 500],
    ] as const) {
      const broken = await QueryHarness.start(({ reader }) => ({
        counters: {
          totals: () => Promise.reject(error),
          read: (...asked) => reader.read(...asked),
          top: () => Promise.reject(error),
          rising: () => Promise.reject(error),
        },
      }));
      for (const path of ["/v1/videos/v", "/v1/top?eventType=VIEW"]) {
        const { text, body } = await broken.get(path).expect(status).expect("Content-Type", "application/problem+json");
        expect(text).not.toContain("secret");
        expect(broken.logged.join()).toContain(body.instance);
      }
      await broken.stop();
    }
  });
});
