// SPDX-License-Identifier: Apache-2.0
/** Admission by keys over the real SQLite store, without Express and without a server. */
import pino from "pino";
import { Admission, type Caller } from "../../admission/admission";
import { KeyRing } from "../../admission/key-ring";
import { hashOf, newKeyText } from "../../admission/key-text";
import { createKey, newKeySchema } from "../../admission/new-key";
import { StoreUnavailableError } from "../../io/ports";
import type { AccessKeys, Scope } from "../../io/ports/access-keys";
import { SqliteAccessKeys } from "../../io/sqlite/access-keys";
import { removeFolders, temporaryFolder } from "../contracts/condition";
import { until } from "../end-to-end/service";

const T = Date.parse("2026-11-21T10:00:00Z");
const DAY = 86_400_000;
const OPERATOR = "an-operator-key-of-more-than-32-characters";

let nowMs = T;
let store: SqliteAccessKeys;
const rings: KeyRing[] = [];
beforeEach(() => {
  nowMs = T;
  store = new SqliteAccessKeys({ folder: temporaryFolder() });
});
afterEach(async () => {
  for (const ring of rings.splice(0)) await ring.close();
  await store.close();
  removeFolders();
});

interface Options {
  keys?: AccessKeys;
  operatorKeyHash?: string;
  maxStaleMs?: number;
  refreshMs?: number;
  origins?: string[];
}

async function admission({ keys = store, origins = [], ...ring }: Options = {}): Promise<Admission> {
  const opened = await KeyRing.open({ store: keys, clock: () => nowMs, logger: pino({ level: "silent" }), ...ring });
  rings.push(opened);
  return new Admission({ keys: opened, origins, clock: () => nowMs });
}

const key = async (spec: object): Promise<string> =>
  (await createKey(store, newKeySchema.parse({ name: "test", ...spec }), nowMs)).text;

interface Asked {
  text?: string;
  url?: string;
  headers?: Record<string, string>;
}

const judged = (at: Admission, scope: Scope, { text, url = "/", headers = {} }: Asked = {}) =>
  at.judge({ url, headers: { ...(text === undefined ? {} : { authorization: `Bearer ${text}` }), ...headers } }, scope);

function statusOf(at: Admission, scope: Scope, asked: Asked = {}): number {
  const verdict = judged(at, scope, asked);
  return verdict.kind === "admitted" ? 200 : verdict.refusal.status;
}

function callerOf(at: Admission, text: string): Caller {
  const verdict = judged(at, "write", { text });
  if (verdict.kind === "refused") throw new Error(verdict.refusal.detail);
  return verdict.caller;
}

it("without any key everybody on this machine may do everything, and no page of another site may operate", async () => {
  const open = await admission();
  for (const scope of ["write", "read"] as const) expect(statusOf(open, scope)).toBe(200);
  const operate = (headers: Record<string, string>) => statusOf(open, "operate", { headers });
  expect(operate({ host: "127.0.0.1:8080" })).toBe(200);
  expect(operate({ host: "[::1]:8080" })).toBe(200);
  expect(operate({ host: "localhost", origin: "http://localhost" })).toBe(200);
  expect(operate({ host: "localhost:1", origin: "https://evil.example" })).toBe(403);
  expect(operate({ host: "rebound.example:8080", origin: "http://rebound.example:8080" })).toBe(403);
  expect(operate({ host: "localhost:1", origin: "null" })).toBe(403);
});

it("a key may what its scopes say, and nothing else", async () => {
  for (const scope of ["write", "read", "operate"] as const) {
    const text = await key({ scopes: [scope] });
    const at = await admission();
    for (const asked of ["write", "read", "operate"] as const)
      expect([scope, asked, statusOf(at, asked, { text })]).toEqual([scope, asked, asked === scope ? 200 : 403]);
  }
});

it("no key, a wrong one, another scheme, a key in parts or too long: 401 and how to do better", async () => {
  const text = await key({ scopes: ["read"] });
  const at = await admission();
  const wrong = newKeyText(false).text;
  const almost = `${text.slice(0, -1)}${text.endsWith("A") ? "B" : "A"}`;
  for (const authorization of [`Bearer ${wrong}`, `Bearer ${almost}`, `Basic ${text}`, "Bearer", "Bearer a b", ""])
    expect(statusOf(at, "read", { headers: { authorization } })).toBe(401);
  expect(statusOf(at, "read", { text: "vm__" })).toBe(401);
  expect(statusOf(at, "read", { text: `vm_${"x".repeat(10_000)}_y` })).toBe(401);
  expect(statusOf(at, "read", { headers: { authorization: `bearer   ${text} ` } })).toBe(200);
  const none = judged(at, "read");
  expect(none).toMatchObject({ refusal: { headers: { "WWW-Authenticate": 'Bearer realm="viewmill"' } } });
  expect(judged(at, "read", { text: wrong })).toMatchObject({
    refusal: { headers: { "WWW-Authenticate": 'Bearer realm="viewmill", error="invalid_token"' } },
  });
});

it("a header of many spaces is judged in linear time", async () => {
  await key({ scopes: ["read"] });
  const at = await admission();
  const started = performance.now();
  for (let n = 0; n < 100; n++) statusOf(at, "read", { headers: { authorization: `Bearer ${" ".repeat(16_000)}x y` } });
  expect(performance.now() - started).toBeLessThan(2_000);
});

it("a public key may stand in a URL and write alone; a secret one may not stand there", async () => {
  const publicKey = await key({ scopes: ["write"], public: true });
  const secret = await key({ scopes: ["write"] });
  const at = await admission();
  expect(publicKey).toMatch(/^vmpub_/);
  expect(statusOf(at, "write", { url: `/v1/events?a=b&key=${publicKey}` })).toBe(200);
  expect(statusOf(at, "write", { text: publicKey })).toBe(200);
  expect(statusOf(at, "read", { url: `/?key=${publicKey}` })).toBe(403);
  expect(statusOf(at, "write", { url: `/v1/events?key=${secret}` })).toBe(401);
  expect(newKeySchema.safeParse({ name: "n", scopes: ["read"], public: true }).success).toBe(false);
});

it("a key of origins is for pages of these alone", async () => {
  const text = await key({ scopes: ["write"], origins: ["https://a.example"] });
  const at = await admission();
  const from = (origin: string) => statusOf(at, "write", { text, headers: { origin } });
  expect([from("https://a.example"), from("https://b.example"), from("https://a.example.evil")]).toEqual([
    200, 403, 403,
  ]);
  expect(statusOf(at, "write", { text })).toBe(403);
  const picture = (referer: string) => statusOf(at, "write", { text, headers: { referer } });
  expect([picture("https://a.example/page?x=1"), picture("https://b.example/"), picture("nowhere")]).toEqual([
    200, 403, 403,
  ]);
});

it("a key of event types sends these alone", async () => {
  const text = await key({ scopes: ["write"], eventTypes: ["VIEW", "LIKE"] });
  const caller = callerOf(await admission(), text);
  expect(caller.mayType(["VIEW", "LIKE"])).toBeUndefined();
  expect(caller.mayType(["VIEW", "SHARE"])).toMatchObject({ status: 403 });
});

it("an expired key is none, and neither it nor a revoked one opens the door to everybody", async () => {
  const text = await key({ scopes: ["read"], expiresAt: new Date(T + 1_000).toISOString() });
  const at = await admission();
  expect(statusOf(at, "read", { text })).toBe(200);
  nowMs = T + 1_000;
  expect(statusOf(at, "read", { text })).toBe(401);
  expect(statusOf(at, "read")).toBe(401);
});

it("a revoked key stops on every instance within ten seconds, and a new one works", async () => {
  const text = await key({ scopes: ["read"] });
  const instances = [await admission(), await admission()];
  for (const at of instances) expect(statusOf(at, "read", { text })).toBe(200);
  await store.revoke((await store.list(0))[0]!.id, nowMs);
  const other = await key({ scopes: ["read"] });
  const started = performance.now();
  await until("both instances know", () =>
    instances.every((at) => statusOf(at, "read", { text }) === 401 && statusOf(at, "read", { text: other }) === 200),
  );
  expect(performance.now() - started).toBeLessThan(10_000);
});

it("nobody is let in while the store has been away for long; the operator's own key is not in the store", async () => {
  const text = await key({ scopes: ["read"] });
  let isAway = false;
  const keys: AccessKeys = {
    add: (each) => store.add(each),
    revoke: (...each) => store.revoke(...each),
    noteUses: (...each) => store.noteUses(...each),
    close: async () => undefined,
    list: async (day) => {
      if (isAway) throw new StoreUnavailableError("away");
      return store.list(day);
    },
  };
  const at = await admission({ keys, operatorKeyHash: hashOf(OPERATOR), refreshMs: 20, maxStaleMs: 300 });
  expect(statusOf(at, "read", { text })).toBe(200);
  isAway = true;
  await until("refused", () => statusOf(at, "read", { text }) === 503);
  expect(statusOf(at, "operate", { text: OPERATOR })).toBe(200);
  isAway = false;
  await until("let in again", () => statusOf(at, "read", { text }) === 200);
});

it("a daily quota is the deployment's: what other instances took counts, and a new day begins anew", async () => {
  const text = await key({ scopes: ["write"], limits: { eventsPerDay: 100 } });
  const one = await admission({ refreshMs: 20 });
  const two = await admission({ refreshMs: 20 });
  expect(callerOf(one, text).settle(60, 1)).toBeUndefined();
  expect(callerOf(one, text).settle(41, 1)).toMatchObject({ kind: "quota-exceeded", status: 429 });
  await until("the other instance knows", () => {
    const caller = callerOf(two, text);
    const refusal = caller.settle(41, 1);
    if (refusal === undefined) caller.giveBack(41, 1);
    return refusal !== undefined;
  });
  expect(callerOf(two, text).settle(40, 1)).toBeUndefined();
  const refusal = callerOf(two, text).settle(1, 1);
  expect(refusal?.headers).toEqual({
    "Retry-After": String(14 * 3600),
    "RateLimit-Policy": '"day";q=100;w=86400;qu="events"',
    RateLimit: `"day";r=0;t=${14 * 3600}`,
  });
  nowMs += DAY;
  expect(callerOf(two, text).settle(100, 1)).toBeUndefined();
});

it("the last use of a key is told", async () => {
  const text = await key({ scopes: ["read"] });
  const at = await admission({ refreshMs: 20 });
  nowMs = T + 5_000;
  expect(statusOf(at, "read", { text })).toBe(200);
  await until("noted", async () => (await store.list(0))[0]?.lastUsedAtMs === T + 5_000);
});
