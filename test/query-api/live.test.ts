// SPDX-License-Identifier: Apache-2.0

import { createServer, get, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { until } from "../system/end-to-end/service";
import { NOW_MS, QueryHarness } from "./query-harness";

interface Message {
  id: string;
  asOf: string;
  completeThrough: string;
  rate: number;
  totals?: Record<string, Record<string, { count: number; sum: number }>>;
  channels?: Record<string, { totals: Record<string, { count: number }>; completeThrough: string }>;
  books?: { start: string; accepted: number; balanced: boolean }[];
}

/** A client of the stream: the received messages, and whether the stream is open. */
class Client {
  readonly messages: Message[] = [];
  ended = false;
  private text = "";

  private constructor(readonly response: IncomingMessage) {
    response.setEncoding("utf8").on("data", (text: string) => this.take(text));
    response.on("close", () => {
      this.ended = true;
    });
  }

  static open(url: string, headers: Record<string, string> = {}): Promise<Client> {
    return new Promise((resolve, reject) => {
      get(url, { headers, agent: false }, (response) => resolve(new Client(response))).on("error", reject);
    });
  }

  private take(text: string): void {
    this.text += text;
    for (let end = this.text.indexOf("\n\n"); end >= 0; end = this.text.indexOf("\n\n")) {
      const [, id, data] = /^id: (.+)\nevent: live\ndata: (.+)$/.exec(this.text.slice(0, end)) ?? [];
      if (id !== undefined && data !== undefined)
        this.messages.push({ id, ...(JSON.parse(data) as Omit<Message, "id">) });
      this.text = this.text.slice(end + 2);
    }
  }

  next(what: string, wanted: (message: Message) => boolean): Promise<Message> {
    return until(what, () => this.messages.find(wanted));
  }

  close(): void {
    this.response.destroy();
  }
}

describe("GET /v1/live", () => {
  let harness: QueryHarness;
  let server: Server;
  let url: string;
  const clients: Client[] = [];

  const stores = emptiedStores();
  beforeEach(async () => {
    harness = await QueryHarness.start(undefined, (await stores()).log);
    server = createServer(harness.app);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/live`;
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await harness.stop();
  });

  async function open(query: string, headers: Record<string, string> = {}): Promise<Client> {
    const client = await Client.open(`${url}?${query}`, headers);
    clients.push(client);
    return client;
  }
  const count = (videoId: string, events: number) => harness.count(videoId, NOW_MS, events, BigInt(events));

  test("the first message has the totals of every watched video, later ones those that changed", async () => {
    await count("a", 3);
    const client = await open("videos=a,b");
    const first = await client.next("a first message", () => true);
    expect(first.totals).toEqual({ a: { VIEW: expect.objectContaining({ count: 3, sum: 3 }) }, b: {} });
    await count("b", 7);
    const second = await client.next("b changes", ({ totals }) => totals?.b?.VIEW !== undefined);
    expect(second.totals).toEqual({ b: { VIEW: expect.objectContaining({ count: 7 }) } });
    expect(client.messages.filter(({ totals }) => totals !== undefined)).toHaveLength(2);
  });

  test("what came is absolute: after a cut, Last-Event-ID gets what changed since, an id of another process everything", async () => {
    await count("a", 3);
    await count("b", 4);
    const client = await open("videos=a,b");
    const { id } = await client.next("a first message", () => true);
    // Somebody else keeps the turns going, as on a service with more than one reader.
    await open("videos=a,b");
    client.close();
    await count("b", 5);
    const again = await open("videos=a,b", { "Last-Event-ID": id });
    const missed = await again.next("what was missed", ({ totals }) => totals !== undefined);
    expect(missed.totals).toEqual({ b: { VIEW: expect.objectContaining({ count: 5 }) } });
    const stranger = await open("videos=a,b", { "Last-Event-ID": "00000000-7" });
    const all = await stranger.next("everything", () => true);
    expect(Object.keys(all.totals ?? {})).toEqual(["a", "b"]);
  });

  test("a watched channel is the sum of its videos, and says how complete it is", async () => {
    await harness.put("/v1/catalog/videos", [
      { videoId: "a", channelId: "one" },
      { videoId: "b", channelId: "one" },
      { videoId: "c", channelId: "two" },
    ]);
    await count("a", 3);
    await count("c", 9);
    const client = await open("channels=one,none");
    const first = await client.next("the channel", ({ channels }) => channels?.one?.totals.VIEW !== undefined);
    expect(first.channels?.one?.totals.VIEW?.count).toBe(3);
    expect(Date.parse(first.channels!.one!.completeThrough)).toBeLessThanOrEqual(Date.parse(first.completeThrough));
    await count("b", 7);
    const second = await client.next("b is added", ({ channels }) => channels?.one?.totals.VIEW?.count === 10);
    expect(second.channels).not.toHaveProperty("none");
    await count("d", 2);
    const unknown = await open("channels=unknown");
    await unknown.next("what nobody knows", ({ channels }) => channels?.unknown?.totals.VIEW?.count === 2);
  });

  test("the books are those of the ledger, the rate is of accepted events", async () => {
    const client = await open("books=1");
    await client.next("a first message", () => true);
    await harness.accept(NOW_MS, 500);
    harness.nowMs += 1_000;
    const changed = await client.next("the minute", ({ books }) => (books?.length ?? 0) > 0);
    expect(changed.books).toMatchObject([{ accepted: 500, balanced: false }]);
    expect(changed.rate).toBeGreaterThan(0);
  });

  test("a client that goes away is forgotten; the service stops and every stream ends", async () => {
    const [gone, stays] = [await open("videos=a"), await open("videos=b")];
    await stays.next("a message", () => true);
    gone.close();
    harness.stopping.abort();
    await until("the stream ends", () => stays.ended);
  });

  test.each([
    [`videos=${Array.from({ length: 51 }, (_, n) => `v${n}`).join(",")}`],
    ["videos=bad id"],
    ["books=2"],
    ["channels=a,b,c,d,e,f"],
    ["video=a"],
  ])("%.20s is refused", async (query) => {
    const { status } = await harness.get(`/v1/live?${query.replaceAll(" ", "%20")}`);
    expect(status).toBe(400);
  });

  test("HEAD has the headers of the stream and ends", async () => {
    const response = await fetch(url, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
  });
});
