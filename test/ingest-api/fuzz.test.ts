// SPDX-License-Identifier: Apache-2.0
import { connect } from "node:net";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { EventColumnsBuilder } from "../../domain/columns/event-columns";
import { REJECTION_REASONS } from "../../domain/rejection";
import { encodeBatch } from "../../io/formats/avro/batch";
import { Random } from "../system/fuzz/random";
import { type Answer, IngestHarness, NOW_MS } from "./ingest-harness";

const SEED = 20_261_121;
const BODIES = 20_000;
const GROUP = 400;
const LANES = 16;

interface Attempt {
  headers: Record<string, string>;
  sent: Buffer;
}

const TYPES = [
  "application/json",
  "application/x-ndjson",
  "application/cloudevents+json",
  "application/cloudevents-batch+json",
  "application/vnd.viewmill.batch+avro",
] as const;

class Generator extends Random {
  private ids = 0;

  attempt(): Attempt {
    const type = this.pick(TYPES);
    let body = this.body(type);
    if (this.chance(0.6)) body = this.mutate(body);
    const encoding = this.pick(["", "", "", "gzip", "zstd", "identity"]);
    if (encoding === "gzip") body = gzipSync(body, { level: 1 });
    if (encoding === "zstd") body = zstdCompressSync(body);
    if (encoding !== "" && this.chance(0.2)) body = this.mutate(body);
    const headers: Record<string, string> = { "Content-Type": this.chance(0.03) ? this.text() : type };
    if (encoding !== "") headers["Content-Encoding"] = this.chance(0.03) ? this.text() : encoding;
    if (this.chance(0.02)) delete headers["Content-Type"];
    return { headers, sent: body };
  }

  private body(type: (typeof TYPES)[number]): Buffer {
    const events = Array.from({ length: Math.floor(this.next() ** 3 * 12) + 1 }, () => this.event());
    switch (type) {
      case "application/json":
        return Buffer.from(JSON.stringify(this.pick([events, { events }, events[0], { ...events[0], events }])));
      case "application/x-ndjson":
        return Buffer.from(events.map((e) => JSON.stringify(e)).join(this.pick(["\n", "\r\n", "\n\n"])));
      case "application/cloudevents+json":
        return Buffer.from(JSON.stringify(this.cloudEvent(events[0]!)));
      case "application/cloudevents-batch+json":
        return Buffer.from(JSON.stringify(events.map((e) => this.cloudEvent(e))));
      case "application/vnd.viewmill.batch+avro": {
        const builder = new EventColumnsBuilder();
        for (const e of events) {
          const { eventId, videoId, eventType, eventTime, value } = e;
          builder.add({
            eventId: String(eventId),
            videoId: String(videoId),
            eventType: String(eventType),
            eventTimeMs: typeof eventTime === "number" && Number.isSafeInteger(eventTime) ? eventTime : NOW_MS,
            ...(Number.isSafeInteger(value) ? { value: value as number } : {}),
            ...(this.chance(0.2) ? { extra: { note: this.text() } } : {}),
          });
        }
        return encodeBatch(builder.build(), { receivedAtMs: 0, producerId: "fuzz", batchId: "b" });
      }
    }
  }

  private event(): Record<string, unknown> {
    const event: Record<string, unknown> = {
      eventId: `fuzz-${this.ids++}`,
      videoId: `video-${Math.floor(this.next() * 50)}`,
      eventType: this.pick(["VIEW", "LIKE", "SHARE"]),
      eventTime: NOW_MS - Math.floor(this.next() * 100_000),
    };
    if (this.chance(0.2)) delete event[this.pick(["eventId", "videoId", "eventType", "eventTime"])];
    if (this.chance(0.3)) {
      const odd = [null, 5, 1.5, -1, 2 ** 53, 1e300, "", "é", this.text(), {}, [], true, "x".repeat(200)];
      event[this.pick(["eventId", "videoId", "eventType", "eventTime", "value", "note"])] = this.pick(odd);
    }
    return event;
  }

  private cloudEvent(event: Record<string, unknown>): Record<string, unknown> {
    const { eventId, videoId, eventType, eventTime, ...rest } = event;
    const time = typeof eventTime === "number" && eventTime < 8e15 ? new Date(eventTime).toISOString() : eventTime;
    const data = this.pick<unknown>([rest, rest, null, "text", [1]]);
    return {
      specversion: this.pick(["1.0", "1.0", "0.3"]),
      id: eventId,
      source: "fuzz",
      subject: videoId,
      type: eventType,
      time,
      data,
    };
  }
}

function plain({ headers, sent }: Attempt): Buffer {
  const bound = { maxOutputLength: 8 << 20 };
  if (headers["Content-Encoding"] === "gzip") return gunzipSync(sent, bound);
  return headers["Content-Encoding"] === "zstd" ? zstdDecompressSync(sent, bound) : sent;
}

/**
 * Returns the number of events that the contract sees in a body that was answered 202; undefined where only the codec
 * can tell.
 */
function eventsIn(attempt: Attempt): number | undefined {
  const body = plain(attempt)
    .toString("latin1")
    .replace(/^\xef\xbb\xbf/, "");
  switch (attempt.headers["Content-Type"]) {
    case "application/x-ndjson":
      return body.split("\n").filter((line) => /[^ \t\r]/.test(line)).length;
    case "application/cloudevents+json":
      return 1;
    case "application/json":
    case "application/cloudevents-batch+json": {
      const value = JSON.parse(body) as unknown;
      if (Array.isArray(value)) return value.length;
      const { events } = value as { events?: unknown };
      return Array.isArray(events) && !Object.hasOwn(value as object, "eventId") ? events.length : 1;
    }
    default:
      return undefined;
  }
}

/**
 * Returns the breaches of the contract in an answer; empty where there are none. Twenty thousand answers are checked:
 * `expect` itself would cost more than the tested code.
 */
function wrongIn(attempt: Attempt, { status, headers, body }: Answer): string[] {
  const wrong: string[] = [];
  const must = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`${what}: ${status} ${JSON.stringify(body)} to ${attempt.sent.toString("base64")}`);
  };
  must([202, 400, 413, 415].includes(status), "the status");
  if (status !== 202) {
    must(headers["content-type"] === "application/problem+json", `content-type ${headers["content-type"]}`);
    must(body.status === status && typeof body.type === "string" && typeof body.title === "string", "the problem");
    return wrong;
  }
  const rejected = body.rejected!;
  const expected = eventsIn(attempt);
  must(expected === undefined || body.accepted! + rejected.length === expected, `not ${expected} events`);
  must(
    rejected.every(({ reason }) => (REJECTION_REASONS as readonly string[]).includes(reason)),
    "the reasons",
  );
  must(
    rejected.every(({ index }, n) => n === 0 || index > rejected[n - 1]!.index),
    "the order of rejections",
  );
  return wrong;
}

/** Returns the expected dead letters after these answers: one line per letter. */
function expectedLetters(results: { attempt: Attempt; answer: Answer }[]): string[] {
  return results.flatMap(({ attempt, answer }) => {
    if (answer.status === 202) {
      return answer.body.rejected!.map(({ reason, eventId, detail }) => `${reason}|${eventId ?? ""}|${detail}`);
    }
    if (answer.status === 400 && answer.body.reason !== undefined && plain(attempt).length > 0) {
      return [`${answer.body.reason}||${String(answer.body.detail)}`];
    }
    return [];
  });
}

it(`20,000 malformed bodies: answers by the contract, every refused event whole in the dead letters (seed ${SEED})`, async () => {
  const harness = await IngestHarness.start();
  const generator = new Generator(SEED);
  const statuses = new Map<number, number>();
  let lastLetter = "0";
  let accepted = 0;
  let rssAfterWarmUp = 0;
  for (let sent = 0; sent < BODIES; sent += GROUP) {
    const attempts = Array.from({ length: GROUP }, () => generator.attempt());
    const results: { attempt: Attempt; answer: Answer }[] = [];
    const wrong: string[] = [];
    const queue = [...attempts];
    const lane = async () => {
      for (let attempt = queue.pop(); attempt !== undefined; attempt = queue.pop()) {
        const answer = await harness.post(attempt.sent, attempt.headers);
        wrong.push(...wrongIn(attempt, answer));
        results.push({ attempt, answer });
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        accepted += answer.body.accepted ?? 0;
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    expect(wrong).toEqual([]);
    const letters = await harness.deadLetters.list({ afterId: lastLetter, limit: 100_000 });
    lastLetter = letters.at(-1)?.id ?? lastLetter;
    expect(letters.map((l) => `${l.reason}|${l.eventId ?? ""}|${l.detail}`).sort()).toEqual(
      expectedLetters(results).sort(),
    );
    const bodies = Buffer.concat(results.filter((r) => r.answer.status < 415).flatMap((r) => safePlain(r.attempt)));
    const invented = letters.filter((letter) => {
      const payload = Buffer.from(letter.payload);
      // A batch message's event is kept as JSON of its own; every other is a piece of what was sent.
      const own = payload.toString("latin1").startsWith("{") && payload.includes('"eventTime":') && isJson(payload);
      return !own && !bodies.includes(payload);
    });
    expect(invented).toEqual([]);
    if (sent === GROUP * 10) rssAfterWarmUp = process.memoryUsage().rss;
  }
  expect(await harness.events()).toHaveLength(accepted);
  expect(harness.logged).toEqual([]);
  for (const status of [202, 400, 415]) expect(statuses.get(status) ?? 0).toBeGreaterThan(100);
  expect(process.memoryUsage().rss - rssAfterWarmUp).toBeLessThan(256 << 20);
  await harness.stop();
}, 180_000);

it("requests whose head is garbage get a 4xx or a closed connection, and the server lives on", async () => {
  const harness = await IngestHarness.start();
  const random = new Random(SEED);
  const port = Number(new URL(harness.url).port);
  const head =
    "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]";
  for (let i = 0; i < 500; i++) {
    const bytes = Buffer.from(head);
    for (let j = 0; j < 3; j++) bytes[random.below(bytes.length)] = random.below(256);
    const answer = await new Promise<string>((resolve) => {
      let text = "";
      const socket = connect(port, "127.0.0.1", () => socket.end(bytes));
      socket.setTimeout(5000, () => socket.destroy());
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(text));
    });
    if (answer !== "") expect(answer).toMatch(/^HTTP\/1\.1 (202|4\d\d) /);
  }
  expect((await harness.post("[]")).status).toBe(202);
  await harness.stop();
}, 60_000);

function safePlain(attempt: Attempt): Buffer[] {
  try {
    return [plain(attempt)];
  } catch {
    return [];
  }
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}
