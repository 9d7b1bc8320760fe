// SPDX-License-Identifier: Apache-2.0
/**
 * The canary against services that do what they should not, and against a real one (test/end-to-end/canary.test.ts).
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { canaryRound, ROUND_EVENTS } from "../../../../cli/programs/canary/round";

const NOW = Date.parse("2026-11-21T10:30:20Z");

interface Lies {
  /** The answers of the levels, as functions of the number of sent events. */
  minute?: (sent: number) => number;
  hour?: (sent: number) => number;
  total?: (sent: number) => number;
  status?: number;
}

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A service that counts as its lies say: what is right is in the end-to-end test, from a real one. */
async function service(lies: Lies): Promise<string> {
  const ids = new Set<string>();
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
      answer({ accepted: events.length, rejected: [] }, 202);
      return;
    }
    if (lies.status !== undefined) return answer({}, lies.status);
    const granularity = url.searchParams.get("granularity");
    const { minute = (n) => n, hour = minute, total = minute } = lies;
    const count = granularity === null ? total(ids.size) : (granularity === "minute" ? minute : hour)(ids.size);
    answer({ count, buckets: [{ count }], totals: { VIEW: { count } } });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const round = async (lies: Lies, deadlineMs = 400) =>
  canaryRound({ url: await service(lies), headers: {}, name: "test", deadlineMs }, NOW, new AbortController().signal);

it("is well where every level says what was sent, though everything was sent twice", async () => {
  expect(await round({}, 30_000)).toMatchObject({
    outcome: "ok",
    lost: 0,
    doubled: 0,
    minute: Math.floor(NOW / 60_000),
  });
});

it.each<[string, Lies, object]>([
  ["an event that is not counted is lost", { minute: (n) => n - 1 }, { outcome: "lost", lost: 1 }],
  ["an event that is counted twice is doubled", { minute: (n) => n + 2 }, { outcome: "doubled", doubled: 2 }],
  ["an hour that is not the sum of its minutes is told", { hour: (n) => n + 1 }, { outcome: "unequal" }],
  ["a total below its day is told", { total: () => ROUND_EVENTS - 1 }, { outcome: "unequal" }],
  ["a read that is not answered is told", { status: 503 }, { outcome: "unread" }],
])("%s", async (_what, lies, expected) => {
  expect(await round(lies)).toMatchObject(expected);
});

it("a service that is away is told as unsent", async () => {
  const url = await service({});
  server.close();
  server.closeAllConnections();
  const target = { url, headers: {}, name: "test", deadlineMs: 100 };
  expect(await canaryRound(target, NOW, AbortSignal.timeout(1_000))).toMatchObject({ outcome: "unsent" });
});
