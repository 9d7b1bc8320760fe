// SPDX-License-Identifier: Apache-2.0
/**
 * Each kind of rule over the real stores of one machine, from what is stored to the message that a webhook is to get.
 * When a rule fires is in test/domain/rules/alerts.test.ts, and how messages travel in delivery.test.ts.
 */
import pino from "pino";
import { Registry } from "prom-client";
import { AlertMetrics } from "../../../../cli/programs/alerts/alert-metrics";
import { Alerts } from "../../../../cli/programs/alerts/alerts";
import { type ReadingSources, readingFor } from "../../../../cli/programs/alerts/readings";
import { canaryRound, type Round } from "../../../../cli/programs/canary/round";
import type { AlertRule } from "../../../../domain/rules/alerts";
import type { AuditReport } from "../../../../io/ports";
import { SqliteAlertStore } from "../../../../io/sqlite/alert-store";
import { DAY, HOUR, MINUTE, NOW_MS, QueryHarness } from "../../../query-api/query-harness";

let harness: QueryHarness;
let store: SqliteAlertStore;
let round: Round | undefined;
beforeEach(async () => {
  harness = await QueryHarness.start();
  store = new SqliteAlertStore({ folder: harness.folder });
  round = undefined;
});
afterEach(async () => {
  await store.close();
  await harness.stop();
});

const MINUTE_START = NOW_MS - (NOW_MS % MINUTE);

/** Returns a look at the rule, which gives the details of the messages that the look has made. */
function looksAt(rule: AlertRule, without: Partial<ReadingSources> = {}) {
  const { reader: counters, catalog, ledger, progress, deadLetters } = harness;
  const clock = () => harness.nowMs;
  const sources = { counters, catalog, ledger, progress, deadLetters, canaryRound: () => round, clock, ...without };
  const alerts = new Alerts({
    rules: [rule],
    webhooks: [{ name: "hook", rules: new Set([rule.name]) }],
    store,
    read: (asked) => readingFor(asked, sources),
    clock,
    logger: pino({ level: "warn" }, { write: (line) => void harness.logged.push(line) }),
    metrics: new AlertMetrics(new Registry()),
    onMessages: () => {},
  });
  return async (): Promise<string[]> => {
    const known = (await store.list({ limit: 100 })).length;
    await alerts.look(new AbortController().signal);
    expect(harness.logged.filter((line) => line.includes("could not be looked at"))).toEqual([]);
    const made = (await store.list({ limit: 100 })).slice(0, -known || undefined);
    return made.map(({ body }) => (JSON.parse(body) as { data: { detail: string } }).data.detail);
  };
}

it("video-passes reads the total of its video and its type, of minutes and of days before", async () => {
  const look = looksAt({ name: "r", kind: "video-passes", videoId: "v", eventType: "VIEW", count: 10 });
  expect(await look()).toEqual([]);
  await harness.count("v", NOW_MS - 3 * DAY, 4);
  await harness.count("v", NOW_MS, 5);
  await harness.count("v", NOW_MS, 50, 0n, "LIKE");
  await harness.count("w", NOW_MS, 50);
  expect(await look()).toEqual([]);
  await harness.count("v", NOW_MS - MINUTE, 1);
  expect(await look()).toEqual(["video v has 10 VIEW, and 10 were waited for"]);
  expect(await look()).toEqual([]);
});

it("channel-passes reads the sum of the channel's videos, and nothing where channels are not added up", async () => {
  const rule: AlertRule = { name: "r", kind: "channel-passes", channelId: "one", eventType: "VIEW", count: 10 };
  const lines = ["a", "b"].map((videoId) => ({ videoId, title: videoId, channelId: "one" }));
  await harness.put("/v1/catalog/videos", [...lines, { videoId: "c", title: "c", channelId: "two" }]).expect(200);
  await harness.count("a", NOW_MS, 6);
  await harness.count("c", NOW_MS, 50);
  const look = looksAt(rule);
  expect(await look()).toEqual([]);
  await harness.count("b", NOW_MS, 4);
  expect(await look()).toEqual(["channel one has 10 VIEW, and 10 were waited for"]);
  const { reader: counters, ledger, progress, deadLetters } = harness;
  const sources = { counters, ledger, progress, deadLetters, canaryRound: () => undefined, clock: () => NOW_MS };
  expect(await readingFor(rule, sources)).toBeUndefined();
});

describe("rate", () => {
  const RULE = { name: "r", kind: "rate", minutes: 10, above: 3, below: 0.5, least: 5 } as const;
  /** Ten VIEWs of video v in the middle of the ten minutes before `endMs`, on each of three days before. */
  const daysBefore = async (endMs: number, of: (timeMs: number, events: number) => Promise<void>) => {
    for (const days of [1, 2, 7]) await of(endMs - days * DAY - 5 * MINUTE, 10);
  };
  const video = (timeMs: number, events: number) => harness.count("v", timeMs, events);
  const books = (timeMs: number, events: number) =>
    harness.ledger.writeRows([
      {
        part: 0,
        minute: Math.floor(timeMs / MINUTE),
        received: events,
        counted: events,
        duplicate: 0,
        late: 0,
        reusedIds: 0,
      },
    ]);

  it.each([
    ["a video", { videoId: "v", eventType: "VIEW" }, video, "video v: 30 VIEW"],
    ["a channel", { channelId: "one", eventType: "VIEW" }, video, "channel one: 30 VIEW"],
    ["everything", {}, books, "all: 30 events"],
  ])("of %s is that of the last minutes against the same minutes of days before", async (_what, subject, of, said) => {
    await harness.put("/v1/catalog/videos", [{ videoId: "v", title: "v", channelId: "one" }]).expect(200);
    const look = looksAt({ ...RULE, ...subject });
    await daysBefore(MINUTE_START, of);
    await of(MINUTE_START - 5 * MINUTE, 20);
    // Beside the range: the minute before its first one, and the open minute.
    await of(MINUTE_START - 11 * MINUTE, 500);
    await of(MINUTE_START, 500);
    expect(await look()).toEqual([]);
    await of(MINUTE_START - 10 * MINUTE, 10);
    expect(await look()).toEqual([
      `${said} in 10 minutes before 2026-11-21T12:00:00.000Z, and 10.0 in the same minutes of 3 days before`,
    ]);
  });

  it("a stream that is behind does not look like silence", async () => {
    const { appendedAtMs } = (await harness.accept(NOW_MS, 1).then(() => harness.log.firstAfter(0)))!;
    harness.nowMs = appendedAtMs + HOUR;
    const endMs = appendedAtMs - (appendedAtMs % MINUTE);
    await daysBefore(endMs, video);
    await daysBefore(endMs + HOUR, video);
    await video(endMs - 5 * MINUTE, 10);
    const rule: AlertRule = { ...RULE, videoId: "v", eventType: "VIEW" };
    expect(await looksAt(rule)()).toEqual([]);
    // Without what waits in the log the last hour is complete, and nothing happened in it.
    const progress = {
      ...harness.progress,
      accepted: async () => new Map(),
      completeThroughMs: async (now: number) => now,
    };
    expect(await looksAt(rule, { progress })()).toEqual([
      expect.stringMatching(/^video v: 0 VIEW in 10 minutes before/),
    ]);
  });
});

it("canary reads the last round, and nothing before the first", async () => {
  const look = looksAt({ name: "r", kind: "canary", minutes: 2 });
  expect(await look()).toEqual([]);
  // A service that has just started is not unwell for want of a round, however long that takes.
  harness.nowMs += 2 * MINUTE;
  expect(await look()).toEqual([]);
  // Nobody listens on port 9 of this machine.
  const target = { url: "http://127.0.0.1:9", headers: {}, name: "test", deadlineMs: 100 };
  round = await canaryRound(target, NOW_MS, AbortSignal.timeout(1_000));
  expect(await look()).toEqual([]);
  harness.nowMs += 2 * MINUTE;
  expect(await look()).toEqual([expect.stringMatching(/^the canary: unsent: /)]);
});

it("audit-differs reads the reports of the last day", async () => {
  const report = (id: string, startedAtMs: number, outcome: AuditReport["outcome"]): AuditReport => ({
    ...{ id, startedAtMs, outcome, durationMs: 1, fromMs: MINUTE_START - HOUR, toMs: MINUTE_START, repair: false },
    ...{ runner: "local", objectsRead: 1, events: 1, distinctEvents: 1, cellsCompared: 1, cellsDiffering: 1 },
    ...{ cellsRepaired: 0, reusedEventIds: 0, lateEvents: 0, notComparable: [], differences: [] },
  });
  const look = looksAt({ name: "r", kind: "audit-differs" });
  await harness.ledger.addAudit(report("old", NOW_MS - DAY - MINUTE, "differences"));
  await harness.ledger.addAudit(report("well", NOW_MS - MINUTE, "equal"));
  expect(await look()).toEqual([]);
  await harness.ledger.addAudit(report("new", NOW_MS, "differences"));
  expect(await look()).toEqual([
    "audit new of 2026-11-21T11:00:00.000Z to 2026-11-21T12:00:00.000Z: differences, 1 cells differ",
  ]);
});

it("unbalanced reads the books of minutes that have ended, and fires when they have been wrong for long enough", async () => {
  const look = looksAt({ name: "r", kind: "unbalanced", minutes: 5 });
  const minute = MINUTE_START / MINUTE - 20;
  await harness.accept(MINUTE_START - 20 * MINUTE, 3);
  await harness.accept(NOW_MS, 1);
  expect(await look()).toEqual([]);
  harness.nowMs += 5 * MINUTE;
  expect(await look()).toEqual(["a minute does not balance, the first 2026-11-21T11:40:00.000Z"]);
  const row = { part: 0, minute, received: 3, counted: 2, duplicate: 1, late: 0, reusedIds: 0 };
  await harness.ledger.writeRows([row]);
  await harness.ledger.addObjects([{ name: "raw/a.avro", minute, events: 3, sizeBytes: 1 }], [minute]);
  // The other minute has ended meanwhile, and does not balance for five minutes yet.
  expect(await look()).toEqual([]);
  harness.nowMs += 5 * MINUTE;
  expect(await look()).toEqual(["a minute does not balance, the first 2026-11-21T12:00:00.000Z"]);
});

it("dead-letters reads the letters of its reason that wait for a replay", async () => {
  const look = looksAt({ name: "r", kind: "dead-letters", reason: "not-json", waiting: 2 });
  const letter = (reason: "not-json" | "bad-value") => ({
    ...{ receivedAtMs: NOW_MS, reason, detail: "", payload: new Uint8Array(1), contentType: "application/json" },
    source: "ingest" as const,
  });
  await harness.deadLetters.append([letter("not-json"), letter("bad-value"), letter("bad-value")]);
  const [replayed] = await harness.deadLetters.list({ limit: 1, reason: "not-json" });
  await harness.deadLetters.markReplayed([replayed!.id], NOW_MS);
  await harness.deadLetters.append([letter("not-json")]);
  expect(await look()).toEqual([]);
  await harness.deadLetters.append([letter("not-json")]);
  expect(await look()).toEqual(["at least 2 dead letters of reason not-json wait for a replay"]);
});
