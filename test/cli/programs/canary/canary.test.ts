// SPDX-License-Identifier: Apache-2.0
/**
 * The canary against services that do what they should not, and against a real one:
 * test/system/end-to-end/canary.test.ts.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, request as httpRequest, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import pino from "pino";
import { Registry } from "prom-client";
import { configSchema } from "../../../../cli/config/schema";
import { Canary } from "../../../../cli/programs/canary/canary";
import { canaryRound, ROUND_EVENTS } from "../../../../cli/programs/canary/round";
import { ServiceCanary } from "../../../../cli/programs/canary/service-canary";
import { removeFolders, temporaryFolder } from "../../../io/ports/condition";
import { describeWithPrograms } from "../../../programs";
import { until } from "../../../until";

const NOW = Date.parse("2026-11-21T10:30:20Z");

/** What the canary reads: a length in time, in buckets of a granularity, or the video's total. */
const LEVELS = ["minute", "hour by minute", "hour", "day by hour", "day", "total"] as const;
type Level = (typeof LEVELS)[number];

interface Lies extends Partial<Record<Level, (sent: number) => number>> {
  status?: number;
}

/** What the canary asked for in the last test. */
let asked: Set<Level>;
let posts: { eventId: string }[][];

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function levelOf(asked: URLSearchParams): Level {
  const granularity = asked.get("granularity");
  if (granularity === null) return "total";
  const minutes = (Date.parse(asked.get("end")!) - Date.parse(asked.get("start")!)) / 60_000;
  const length = minutes === 1 ? "minute" : minutes === 60 ? "hour" : "day";
  return (length === granularity ? length : `${length} by ${granularity}`) as Level;
}

/** A service that counts as its lies say: what is right is in the end-to-end test, from a real one. */
async function service(lies: Lies): Promise<string> {
  const ids = new Set<string>();
  [asked, posts] = [new Set(), []];
  server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "", "http://x");
    const answer = (content: unknown, status = 200) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(content));
    };
    if (request.method === "POST") {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const events = JSON.parse(Buffer.concat(chunks).toString()) as { eventId: string }[];
      for (const { eventId } of events) ids.add(eventId);
      posts.push(events);
      answer({ accepted: events.length, rejected: [] }, 202);
      return;
    }
    if (lies.status !== undefined) return answer({}, lies.status);
    const level = levelOf(url.searchParams);
    asked.add(level);
    const count = (lies[level] ?? ((sent) => sent))(ids.size);
    answer({ count, buckets: [{ count: 1 }, { count: count - 1 }], totals: { VIEW: { count } } });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const round = async (lies: Lies, deadlineMs = 400) =>
  canaryRound({ url: await service(lies), headers: {}, name: "test", deadlineMs }, NOW, new AbortController().signal);

it("is well where every level says what was sent, and everything was sent twice as the same events", async () => {
  expect(await round({}, 30_000)).toMatchObject({
    outcome: "ok",
    lost: 0,
    doubled: 0,
    minute: Math.floor(NOW / 60_000),
    detail: "every level says what was sent",
  });
  expect([...asked].sort()).toEqual([...LEVELS].sort());
  expect(posts).toEqual([posts[0], posts[0]]);
  expect(new Set(posts[0]!.map(({ eventId }) => eventId)).size).toBe(ROUND_EVENTS);
});

const more = (sent: number) => sent + 1;
const less = (sent: number) => sent - 1;
const unequal = (detail: string) => ({ outcome: "unequal", lost: 0, doubled: 0, detail });

it.each<[string, Lies, object]>([
  [
    "an event that is not counted is lost",
    { minute: less },
    { outcome: "lost", lost: 1, doubled: 0, detail: "4 of 5 events are counted" },
  ],
  [
    "an event that is counted twice is doubled",
    { minute: (n) => n + 2 },
    { outcome: "doubled", lost: 0, doubled: 2, detail: "7 are counted, and 5 were sent" },
  ],
  [
    "an hour that says more than its minutes is told",
    { hour: more },
    unequal("the minutes of the hour add up to 5, and the hour says 6"),
  ],
  [
    "an hour that says less than its minutes is told",
    { "hour by minute": more },
    unequal("the minutes of the hour add up to 6, and the hour says 5"),
  ],
  [
    "a day that says more than its hours is told",
    { day: more, total: more },
    unequal("the hours of the day add up to 5, and the day says 6"),
  ],
  [
    "a day that says less than its hours is told",
    { "day by hour": more },
    unequal("the hours of the day add up to 6, and the day says 5"),
  ],
  ["a total below its day is told", { total: less }, unequal("the total is 4, and the day alone has 5")],
  [
    "a read that is not answered is told",
    { status: 503 },
    { outcome: "unread", detail: expect.stringContaining("answered 503") },
  ],
])("%s", async (_what, lies, expected) => {
  expect(await round(lies)).toMatchObject(expected);
});

it("a total above its day is well: it has the days before", async () => {
  expect(await round({ total: (n) => n + 1_000 }, 30_000)).toMatchObject({ outcome: "ok" });
});

it("a service that is away is told as unsent", async () => {
  const url = await service({});
  server.close();
  server.closeAllConnections();
  const target = { url, headers: {}, name: "test", deadlineMs: 100 };
  expect(await canaryRound(target, NOW, AbortSignal.timeout(1_000))).toMatchObject({ outcome: "unsent" });
});

it("the last round is the one that began last, also where the clock has been set back meanwhile", async () => {
  const url = await service({});
  let nowMs = NOW + 86_400_000;
  const canary = new Canary({
    target: { url, headers: {}, name: "test", deadlineMs: 10_000 },
    clock: () => nowMs,
    logger: pino({ level: "silent" }),
    registry: new Registry(),
  });
  await canary.round();
  nowMs = NOW;
  await canary.round();
  expect(canary.last?.minute).toBe(Math.floor(NOW / 60_000));
});

describeWithPrograms("within a service with TLS", ["openssl"], () => {
  const folder = temporaryFolder();
  afterAll(removeFolders);

  it("the canary reaches its own service, though the certificate names another host", async () => {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const how = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=views.example.com";
    execFileSync("openssl", [...how.split(" "), "-keyout", key, "-out", cert], { stdio: "ignore" });
    const plain = new URL(await service({}));
    const door = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      const { url, method, headers } = request;
      request.pipe(
        httpRequest({ port: plain.port, path: url, method, headers }, (answer) => {
          response.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(response);
        }),
      );
    });
    await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
    const config = configSchema.parse({ canary: { enabled: true, name: "test" } });
    const canary = new ServiceCanary(config, pino({ level: "silent" }), new Registry(), "key");
    canary.begin(`https://127.0.0.1:${(door.address() as AddressInfo).port}`);
    await until("a round has ended", () => canary.last !== undefined);
    expect(canary.last).toMatchObject({ outcome: "ok" });
    await canary.stop();
    door.close();
  });
});
