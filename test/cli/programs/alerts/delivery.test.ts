// SPDX-License-Identifier: Apache-2.0
/** Messages to real receivers over HTTP: signed, bounded, repeated, and never to where they must not go. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import pino from "pino";
import { Registry } from "prom-client";
import { AlertMetrics } from "../../../../cli/programs/alerts/alert-metrics";
import { nextAttempt } from "../../../../cli/programs/alerts/next-attempt";
import { WebhookLane } from "../../../../cli/programs/alerts/webhook-lane";
import { SqliteAlertStore } from "../../../../io/sqlite/alert-store";
import { AllowedAddresses, isNetwork } from "../../../../io/webhooks/addresses";
import { sendMessage } from "../../../../io/webhooks/send";
import { signatureHeaders, webhookSecret } from "../../../../io/webhooks/signature";
import { removeFolders, temporaryFolder } from "../../../io/ports/condition";
import { until } from "../../../until";

const SECRET = webhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
const LOOPBACK = ["127.0.0.0/8"];

describe("the signature", () => {
  it("is the one of the reference implementations", () => {
    const { "webhook-signature": signature } = signatureHeaders(
      SECRET,
      "msg_p5jXN8AQM9LWM0D4loKWxJek",
      1614265330,
      '{"test": 2432232314}',
    );
    expect(signature).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  it.each([
    "",
    "whsec_",
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_c2hvcnQ=",
    `whsec_${"A".repeat(88)}`,
    "whsec_!!!!",
  ])("takes %j for no secret, and does not repeat it", (text) => {
    expect(() => webhookSecret(text)).toThrow(/^webhook: a secret is whsec_ and 24 to 64 bytes in base64$/);
  });
});

describe("addresses", () => {
  const none = new AllowedAddresses([]);
  it.each([
    ...["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"],
    ...["255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
    ...["::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "fec0::1", "::ffff:0:10.0.0.1"],
  ])("%s is not reached", (address) => {
    expect(() => none.check(address, true)).toThrow(/not a public address/);
  });

  it.each(["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "172.32.0.1"])(
    "%s is reached with encryption, and not without",
    (address) => {
      none.check(address, true);
      expect(() => none.check(address, false)).toThrow(/needs https/);
    },
  );

  it("what is allowed by name is reached either way, and nothing beside it", () => {
    const some = new AllowedAddresses(["10.1.0.0/16", "fd00:1::/32"]);
    for (const address of ["10.1.2.3", "fd00:1::5", "::ffff:10.1.2.3"]) some.check(address, false);
    for (const address of ["10.2.0.1", "fd00:2::5"]) expect(() => some.check(address, true)).toThrow(/not a public/);
  });

  it("networks are told from other texts", () => {
    expect(["10.0.0.0/8", "::/0", "fd00::/8"].every(isNetwork)).toBe(true);
    expect(["10.0.0.0", "10.0.0.0/33", "fd00::/129", "x/8", "", "10.0.0/8"].some(isNetwork)).toBe(false);
  });
});

it("pauses at most twice as long after each attempt, up to the bound, and dies at the end of its time", () => {
  const bounds = { firstPauseMs: 2_000, maxPauseMs: 3_600_000, deadAfterMs: 259_200_000 };
  const failed = { kind: "failed", detail: "500" } as const;
  fc.assert(
    fc.property(
      fc.nat(2_000),
      fc.nat(300_000_000),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempts, ageMs, random) => {
        const next = nextAttempt({ attempts, sinceMs: 0 }, failed, bounds, ageMs, random);
        const pauseMs = next.state === "waiting" ? next.nextAttemptAtMs - ageMs : 0;
        expect(pauseMs).toBeLessThanOrEqual(Math.min(3_600_000, 2_000 * 2 ** Math.min(attempts, 20)) + 1);
        expect(next.state).toBe(ageMs + pauseMs > bounds.deadAfterMs || next.state === "dead" ? "dead" : "waiting");
        if (next.state === "dead") expect(ageMs + 3_600_001).toBeGreaterThan(bounds.deadAfterMs);
      },
    ),
  );
  const asked = nextAttempt({ attempts: 0, sinceMs: 0 }, { ...failed, retryAfterMs: 60_000 }, bounds, 5, 0);
  expect(asked).toEqual({ state: "waiting", nextAttemptAtMs: 60_005, detail: "500" });
  expect(nextAttempt({ attempts: 0, sinceMs: 0 }, { kind: "gone", detail: "410" }, bounds, 5, 0)).toMatchObject({
    state: "dead",
  });
});

describe("a receiver", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    removeFolders();
  });

  type Got = { url: string; headers: IncomingMessage["headers"]; body: string };
  async function receiver(answer: (got: Got, n: number) => [number, Record<string, string>?] | "hang") {
    const got: Got[] = [];
    const server = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      got.push({ url: request.url ?? "", headers: request.headers, body });
      const said = answer(got.at(-1)!, got.length);
      if (said !== "hang") response.writeHead(said[0], said[1]).end("x".repeat(100_000));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { port: (server.address() as AddressInfo).port, got };
  }
  const attempt = (url: string, networks = LOOPBACK, timeoutMs = 5_000) =>
    sendMessage(
      { url, secret: SECRET, timeoutMs },
      { id: "msg_1", body: '{"a":1}' },
      { addresses: new AllowedAddresses(networks), nowMs: 1_700_000_000_999, signal: new AbortController().signal },
    );

  it("gets the message with its signature; a long answer is read at its beginning", async () => {
    const { port, got } = await receiver(() => [204]);
    expect(await attempt(`http://127.0.0.1:${port}/hook?x=1`)).toMatchObject({ kind: "taken" });
    const signed = signatureHeaders(SECRET, "msg_1", 1_700_000_000, '{"a":1}');
    expect(got).toMatchObject([
      { url: "/hook?x=1", body: '{"a":1}', headers: { ...signed, "content-type": "application/json" } },
    ]);
  });

  it("that answers anything else is asked again; a redirect is not followed, 410 is the end", async () => {
    const { port, got } = await receiver(
      (_, n) => [[500], [302, { location: "/elsewhere" }], [429, { "retry-after": "7" }], [410]][n - 1] as [number],
    );
    const url = `http://127.0.0.1:${port}/`;
    expect(await attempt(url)).toMatchObject({ kind: "failed", detail: expect.stringMatching(/^500 x{400}/) });
    expect(await attempt(url)).toMatchObject({ kind: "failed" });
    expect(await attempt(url)).toMatchObject({ kind: "failed", retryAfterMs: 7_000 });
    expect(await attempt(url)).toMatchObject({ kind: "gone" });
    expect(got.map((one) => one.url)).toEqual(["/", "/", "/", "/"]);
  });

  it("at an address that is not allowed gets nothing, whether the URL names it or a name stands for it", async () => {
    const { port, got } = await receiver(() => [200]);
    for (const host of ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"]) {
      const outcome = await attempt(`http://${host}:${port}/`, []);
      expect(outcome).toMatchObject({ kind: "failed", detail: expect.stringMatching(/not a public address/) });
    }
    expect(await attempt(`http://localhost:${port}/`)).toMatchObject({ kind: expect.stringMatching(/taken|failed/) });
    expect(got.length).toBeLessThanOrEqual(1);
  });

  it("that is not there, or hangs, is a failure with a reason", async () => {
    const { port } = await receiver(() => "hang");
    expect(await attempt(`http://127.0.0.1:${port}/`, LOOPBACK, 100)).toEqual({
      kind: "failed",
      detail: "no answer within 100 ms",
    });
    expect(await attempt("http://127.0.0.1:1/")).toMatchObject({
      kind: "failed",
      detail: expect.stringMatching(/ECONNREFUSED/),
    });
  });

  it("has said what became of a message by its status, though the body is cut off or never ends", {
    timeout: 120_000,
  }, async () => {
    for (const [cut, statuses] of [[true, [200, 410, 503]] as const, [false, [200]] as const]) {
      let n = 0;
      const server = createServer((request, response) => {
        request.resume();
        response.writeHead(statuses[n++]!, { "Retry-After": "7" });
        response.write("begun");
        if (cut) setImmediate(() => response.destroy());
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const outcomes = [];
      for (const _ of statuses) outcomes.push(await attempt(url, LOOPBACK, cut ? 60_000 : 10_000));
      const expected = [
        { kind: "taken", detail: expect.stringMatching(/^200/) },
        { kind: "gone", detail: expect.stringMatching(/^410/) },
        { kind: "failed", detail: expect.stringMatching(/^503/), retryAfterMs: 7_000 },
      ];
      expect(outcomes).toMatchObject(expected.slice(0, statuses.length));
    }
  });

  it("that hangs delays no other, and has at most as many attempts at once as it may", async () => {
    const store = new SqliteAlertStore({ folder: temporaryFolder() });
    const hanging = await receiver(() => "hang");
    const well = await receiver(() => [200]);
    const metrics = new AlertMetrics(new Registry());
    const lanes = Object.entries({ hanging, well }).map(([name, { port }]) => {
      const url = `http://127.0.0.1:${port}/`;
      return new WebhookLane({
        name,
        store,
        send: (message, signal) =>
          sendMessage({ url, secret: SECRET, timeoutMs: 60_000 }, message, {
            addresses: new AllowedAddresses(LOOPBACK),
            nowMs: Date.now(),
            signal,
          }),
        maxConcurrent: 2,
        bounds: { firstPauseMs: 10, maxPauseMs: 10, deadAfterMs: 60_000 },
        clock: Date.now,
        random: () => 0.5,
        logger: pino({ level: "silent" }),
        metrics,
      });
    });
    for (let n = 0; n < 20; n++) {
      const message = { messageId: `m${n}`, rule: "r", createdAtMs: Date.now(), body: "{}" };
      await store.record(
        "r",
        { since: {}, fired: [] },
        [
          { ...message, webhook: "hanging" },
          { ...message, webhook: "well" },
        ],
        100,
      );
    }
    for (const lane of lanes) lane.start();
    await until("all others are delivered", async () => (await store.waiting()).get("well") === undefined);
    await until("as many attempts as allowed", () => hanging.got.length === 2);
    expect(new Set(well.got.map(({ headers }) => headers["webhook-id"])).size).toBe(20);
    await Promise.all(lanes.map((lane) => lane.stop()));
    expect(hanging.got).toHaveLength(2);
    // A delivery under way when the service stopped waits, and its attempt does not count.
    expect(
      (await store.list({ limit: 100, webhook: "hanging" })).every(
        ({ state, attempts }) => state === "waiting" && attempts === 0,
      ),
    ).toBe(true);
    await store.close();
  });
});
