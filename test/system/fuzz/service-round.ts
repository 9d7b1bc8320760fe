// SPDX-License-Identifier: Apache-2.0
/**
 * The whole HTTP surface of a running embedded service against a naive model: what it counts is what its archive holds,
 * and its books say so.
 */
import { deepStrictEqual } from "node:assert";
import { request } from "node:http";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { eventAt } from "../../../domain/columns/event-columns";
import type { VideoEvent } from "../../../domain/event";
import { DirectoryArchive } from "../../../io/directory/archive";
import { readArchiveObject } from "../../../io/formats/avro/archive-object";
import { type Compression, inflate } from "../../../io/formats/compression/inflate";
import { modelCells } from "../../domain/model";
import type { Service, Video } from "../end-to-end/service";
import { BODY_TYPES, EventSource } from "./events";
import type { Random } from "./random";

const REQUESTS = 300;
const READS = 60;
const LANES = 8;
const DAY_MS = 86_400_000;

interface Answered {
  status: number;
  type: string;
  text: string;
}

interface Request {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: Uint8Array<ArrayBuffer>;
}

/** A request, and the breach of the contract in its answer. */
export class SurfaceError extends Error {
  constructor({ method, path, headers, body }: Request, { status, text }: Answered, what: string) {
    const sent = body === undefined ? "" : ` ${Buffer.from(body).toString("base64")}`;
    super(`${what}: ${method} ${path} ${JSON.stringify(headers)}${sent} -> ${status} ${text.slice(0, 500)}`);
  }
}

export class ServiceRounds {
  private accepted = 0;
  private rejected = 0;
  private rounds = 0;

  constructor(
    private readonly service: Service,
    private readonly random: Random,
  ) {}

  /** Rejects with what does not hold. */
  async round(): Promise<void> {
    const source = new EventSource(this.random, Date.now(), `r${this.rounds++}`);
    const requests = [
      ...Array.from({ length: REQUESTS }, () => this.write(source)),
      ...Array.from({ length: READS }, () => this.read()),
    ];
    const queue = requests.values();
    const lane = async () => {
      for (const each of queue) this.judge(each, await this.ask(each));
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    await this.service.counted();
    await this.compare();
  }

  private write(source: EventSource): Request {
    const { random } = this;
    const type = random.pick(BODY_TYPES);
    let body = source.body(type);
    if (random.chance(0.4)) body = random.mutate(body);
    const headers: Record<string, string> = { "content-type": random.chance(0.02) ? "a/b" : type };
    const encoding = random.pick(["", "", "gzip", "zstd"]);
    if (encoding === "gzip") body = gzipSync(body, { level: 1 });
    if (encoding === "zstd") body = zstdCompressSync(body);
    if (encoding !== "") headers["content-encoding"] = encoding;
    if (encoding !== "" && random.chance(0.2)) body = random.mutate(body);
    return { method: "POST", path: "/v1/events", headers, body: new Uint8Array(body) };
  }

  private read(): Request {
    const { random } = this;
    const video = encodeURIComponent(
      random.pick([`video-${random.below(20)}`, random.text() || "x", "..", "%", "a/b"]),
    );
    const odd = () => encodeURIComponent(random.pick([random.text(), "-1", "1e9", "9999-12-31T23:59:59Z", "", "null"]));
    const time = () => (random.chance(0.3) ? odd() : new Date(Date.now() - random.below(3 * DAY_MS)).toISOString());
    const range = `start=${time()}&end=${time()}`;
    const type = random.chance(0.2) ? odd() : random.pick(["VIEW", "LIKE", "SHARE"]);
    const granularity = random.chance(0.2) ? odd() : random.pick(["minute", "hour", "day"]);
    const channel = encodeURIComponent(random.pick([`channel-${random.below(4)}`, random.text() || "x", ".."]));
    const zone = random.chance(0.2) ? odd() : random.pick(["Europe/Berlin", "Asia/Beirut", "Asia/Kathmandu"]);
    const path = random.pick([
      `/v1/videos/${video}`,
      `/v1/videos/${video}/counts?eventType=${type}&${range}&granularity=${granularity}`,
      `/v1/videos/${video}/stats?eventType=${type}&function=${random.pick(["COUNT", "SUM", "AVERAGE", odd()])}&${range}`,
      `/v1/top?eventType=${type}&${range}&limit=${random.pick(["1", "10", odd()])}`,
      `/v1/ledger?${range}`,
      `/v1/audits?limit=${odd()}`,
      `/v1/videos/${video}/badge.svg?eventType=${type}`,
      `/v1/videos?search=${random.chance(0.5) ? "video" : odd()}&limit=${random.pick(["1", "50", odd()])}`,
      `/v1/videos?order=newest&cursor=${odd()}`,
      `/v1/trending?eventType=${type}&${range}&channelId=${channel}`,
      `/v1/top?eventType=${type}&${range}&channelId=${channel}`,
      `/v1/channels/${channel}`,
      `/v1/channels/${channel}/counts?eventType=${type}&${range}&granularity=${granularity}&tz=${zone}`,
      `/v1/channels/${channel}/stats?eventType=${type}&function=${random.pick(["COUNT", "SUM", "AVERAGE"])}&${range}`,
      `/v1/channels/${channel}/top?eventType=${type}&${range}`,
      `/v1/dead-letters?limit=${odd()}&cursor=${odd()}`,
      "/healthz",
      "/metrics",
      "/openapi.json",
      `/${random.text().replaceAll(/[^a-z/]/g, "")}`,
    ]);
    if (random.chance(0.1)) return this.catalog();
    if (random.chance(0.15)) {
      const query = {
        videoIds: [`video-${random.below(20)}`, random.text()],
        eventTypes: [type],
        functions: ["COUNT", "SUM"],
      };
      const body = new Uint8Array(random.mutate(Buffer.from(JSON.stringify(query))));
      return { method: "POST", path: "/v1/query", headers: { "content-type": "application/json" }, body };
    }
    return { method: random.pick(["GET", "GET", "GET", "HEAD", "DELETE"]), path, headers: {} };
  }

  /** Lines of a catalog, some of them damaged: titles and channels change while events come in. */
  private catalog(): Request {
    const { random } = this;
    const line = (n: number) => ({
      videoId: `video-${random.below(20)}`,
      title: random.text(),
      channelId: `channel-${random.below(4)}`,
      ...(n % 3 === 0 ? { publishedAt: new Date(Date.now() - random.below(30 * DAY_MS)).toISOString() } : {}),
    });
    const text = Array.from({ length: random.below(5) }, (_, n) => JSON.stringify(line(n))).join("\n");
    const path = random.pick(["/v1/catalog/videos", "/v1/catalog/channels"]);
    const body = new Uint8Array(random.chance(0.5) ? random.mutate(Buffer.from(text)) : Buffer.from(text));
    return { method: "PUT", path, headers: { "content-type": "application/x-ndjson" }, body };
  }

  /** A connection of its own, because the service may close a kept one as a request begins. */
  private ask({ method, path, headers, body }: Request): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const asked = request(`${this.service.url}${path}`, { method, headers, agent: false }, (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(pieces).toString("utf8");
          resolve({ status: response.statusCode ?? 0, type: response.headers["content-type"] ?? "", text });
        });
      });
      asked.on("error", (error) => reject(new Error(`no answer: ${method} ${path}: ${error.message}`)));
      asked.end(body);
    });
  }

  private judge(asked: Request, answer: Answered): void {
    const { status, type, text } = answer;
    const must = (holds: boolean, what: string) => {
      if (!holds) throw new SurfaceError(asked, answer, what);
    };
    must(status < 500, "the service failed");
    if (asked.method === "HEAD") return;
    if (status >= 400) {
      must(type.startsWith("application/problem+json"), `the type is ${type}`);
      const problem = JSON.parse(text) as { status?: number; title?: unknown; reason?: string };
      must(problem.status === status && typeof problem.title === "string", "the problem");
      if (asked.path === "/v1/events" && status === 400 && problem.reason !== undefined && holdsBytes(asked))
        this.rejected++;
      return;
    }
    if (asked.path !== "/v1/events" || asked.method !== "POST") return;
    must(status === 202, "the status");
    const { accepted, rejected } = JSON.parse(text) as { accepted: number; rejected: { index: number }[] };
    must(
      rejected.every(({ index }, n) => n === 0 || index > rejected[n - 1]!.index),
      "the order of rejections",
    );
    this.accepted += accepted;
    this.rejected += rejected.length;
  }

  private async compare(): Promise<void> {
    const events = await this.archived();
    deepStrictEqual({ archived: events.length }, { archived: this.accepted });
    const expected = new Map<string, { count: number; sum: bigint }>();
    for (const [name, { count, sum }] of modelCells(events)) {
      const cell = name.slice(name.indexOf(" ") + 1);
      const known = expected.get(cell) ?? { count: 0, sum: 0n };
      expected.set(cell, { count: known.count + count, sum: known.sum + sum });
    }
    const videos = new Set(events.map(({ videoId }) => videoId));
    const stored = new Map<string, { count: number; sum: bigint }>();
    for (const videoId of videos) {
      // Not by fetch: it drops the segments `%2E` and `%2E%2E`, as which the ids `.` and `..` are asked for.
      const segment = encodeURIComponent(videoId).replace(/^\.{1,2}$/, (dots) => dots.replaceAll(".", "%2E"));
      const asked = { method: "GET", path: `/v1/videos/${segment}`, headers: {} };
      const answer = await this.ask(asked);
      if (answer.status !== 200) throw new SurfaceError(asked, answer, "the totals of a video");
      // Sums beyond 2^53 are numbers in the text: JSON.parse would round them.
      const text = answer.text.replaceAll(/"sum":(-?\d+)/g, '"sum":"$1"');
      const { totals } = JSON.parse(text) as { totals: Record<string, { count: number; sum: string }> };
      for (const [eventType, { count, sum }] of Object.entries(totals))
        stored.set(`${videoId} ${eventType}`, { count, sum: BigInt(sum) });
    }
    const sorted = (cells: Map<string, unknown>) => new Map([...cells].sort(([a], [b]) => (a < b ? -1 : 1)));
    deepStrictEqual(sorted(stored), sorted(expected));
    await this.compareBooks([...expected.values()].reduce((sum, { count }) => sum + count, 0));
  }

  private async compareBooks(distinct: number): Promise<void> {
    const nowMs = Date.now();
    const { totals } = await this.service.ledger(nowMs - 30 * DAY_MS, nowMs + DAY_MS / 2);
    const { accepted, archived, counted, duplicate, late, balanced, rejected } = totals;
    deepStrictEqual(
      { accepted, archived, counted, duplicate, late, balanced, rejected },
      {
        accepted: this.accepted,
        archived: this.accepted,
        counted: distinct,
        duplicate: this.accepted - distinct,
        late: 0,
        balanced: true,
        rejected: this.rejected,
      },
    );
    const { completeThrough } = await this.service.get<Video>("/v1/videos/none");
    if (!(Date.parse(completeThrough) >= nowMs - DAY_MS)) throw new Error(`completeThrough is ${completeThrough}`);
  }

  private async archived(): Promise<VideoEvent[]> {
    const archive = new DirectoryArchive({ folder: join(this.service.folder, "archive") });
    const events: VideoEvent[] = [];
    for (const { name, minute } of await archive.list(0, Date.UTC(9999, 0) / 60_000)) {
      for (const { columns } of readArchiveObject(await archive.read(name), minute)) {
        for (let row = 0; row < columns.count; row++) events.push(eventAt(columns, row));
      }
    }
    return events;
  }
}

/** An empty body, and one that is refused before it is read (413), have no dead letter. */
function holdsBytes({ headers, body }: Request): boolean {
  const encoding = headers["content-encoding"];
  const bytes = Buffer.from(body ?? "");
  if (encoding === undefined) return bytes.length > 0;
  return inflate(bytes, encoding as Compression, { maxBytes: 8 << 20 }).length > 0;
}
