// SPDX-License-Identifier: Apache-2.0
/** Admission by keys over the real SQLite store, without Express and without a server. */
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import pino from "pino";
import { Admission, type Caller } from "../../admission/admission";
import { KeyRing } from "../../admission/key-ring";
import { hashOf, idOf, newKeyText } from "../../admission/key-text";
import { createKey, isOrigin, newKeySchema, shownKey } from "../../admission/new-key";
import { internal, methodNotAllowed, overloaded, problemText, unavailable } from "../../admission/problem";
import { forbidden, keysUnavailable, unauthorized } from "../../admission/refusal";
import { StoreUnavailableError } from "../../io/ports";
import type { AccessKeys, KeyUse, ListedKey, Scope } from "../../io/ports/access-keys";
import { SqliteAccessKeys } from "../../io/sqlite/access-keys";
import { removeFolders, temporaryFolder } from "../io/ports/condition";
import { until } from "../system/end-to-end/service";

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
  logger?: pino.Logger;
}

/** A logger, and what it was told at warn and above: the message, and the error's. */
function listening() {
  const warned: string[] = [];
  const write = (line: string) => {
    const { msg, err } = JSON.parse(line) as { msg: string; err?: { message: string } };
    warned.push(`${msg}: ${err?.message}`);
  };
  return { warned, logger: pino({ level: "warn" }, { write }) };
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
  for (const host of ["[::1", "::1]:80", "[::1]]", "a[::1]", "[::1]b:80", "127.0.0.1x", "x"])
    expect(operate({ host })).toBe(403);
  expect(operate({})).toBe(403);
  expect(open.needsKeys).toBe(false);
  expect(new Admission({ clock: () => nowMs }).needsKeys).toBe(false);
});

describe("pages of other origins", () => {
  const A = "https://a.example";
  const B = "https://b.example";

  /** Returns the answer's fields, and whether the answer is complete: that of a preflight. */
  function crossed(at: Admission, origin?: string, method = "GET") {
    const request = new IncomingMessage(new Socket());
    request.method = method;
    if (origin !== undefined) request.headers.origin = origin;
    const response = new ServerResponse(request);
    const isAnswered = at.crossOrigin(request, response);
    return { isAnswered, status: response.statusCode, ...response.getHeaders() };
  }
  const allowed = (at: Admission, origin?: string) => crossed(at, origin)["access-control-allow-origin"];

  it("get no field where no origin is named, and caches need not know of it", async () => {
    await key({ scopes: ["read"] });
    const at = await admission();
    expect(crossed(at)).toEqual({ isAnswered: false, status: 200 });
    expect(allowed(at, A)).toBeUndefined();
    expect(allowed(new Admission({ clock: () => nowMs }), A)).toBeUndefined();
    expect(crossed(new Admission({ clock: () => nowMs }))).toEqual({ isAnswered: false, status: 200 });
  });

  it("that the deployment names may read; caches keep the answers of others apart", async () => {
    const at = await admission({ origins: [A] });
    expect([A, B, "null", undefined].map((origin) => allowed(at, origin))).toEqual([A, ...Array(3).fill(undefined)]);
    for (const origin of [A, B, undefined]) expect([origin, crossed(at, origin).vary]).toEqual([origin, "Origin"]);
    const keyless = new Admission({ origins: [A], clock: () => nowMs });
    expect([A, B].map((origin) => allowed(keyless, origin))).toEqual([A, undefined]);
    expect(crossed(at, A)).toMatchObject({
      isAnswered: false,
      "access-control-expose-headers":
        "ETag,RateLimit,RateLimit-Policy,Retry-After,Viewmill-As-Of,Viewmill-Complete-Through",
    });
  });

  it("may all read where the deployment, or a key, says *", async () => {
    const all = await admission({ origins: [B, "*"] });
    expect([A, B].map((origin) => allowed(all, origin))).toEqual(["*", "*"]);
    expect(crossed(all).isAnswered).toBe(false);
    expect(crossed(all, A).vary).toBeUndefined();
    const text = await key({ scopes: ["write"], origins: ["*"] });
    const at = await admission();
    expect([A, B, undefined].map((origin) => allowed(at, origin))).toEqual([A, B, undefined]);
    expect(statusOf(at, "write", { text, headers: { origin: A } })).toBe(200);
    expect(statusOf(at, "write", { text })).toBe(200);
  });

  it("that a key names may read until the key is revoked", async () => {
    await key({ scopes: ["read"] });
    await key({ scopes: ["write"], origins: [A] });
    const at = await admission();
    expect([A, B].map((origin) => allowed(at, origin))).toEqual([A, undefined]);
    expect(crossed(at).vary).toBe("Origin");
    const unnamed = new Admission({ keys: rings.at(-1)!, clock: () => nowMs });
    expect([A, B].map((origin) => allowed(unnamed, origin))).toEqual([A, undefined]);
    expect(crossed(unnamed).vary).toBe("Origin");
    for (const { id } of await store.list(0)) await store.revoke(id, nowMs);
    const later = await admission();
    expect(allowed(later, A)).toBeUndefined();
    expect(crossed(later)).toEqual({ isAnswered: false, status: 200 });
  });

  it("have their preflight answered in whole", async () => {
    const at = await admission({ origins: [A] });
    expect(crossed(at, A, "OPTIONS")).toMatchObject({
      isAnswered: true,
      status: 204,
      "access-control-allow-origin": A,
      "access-control-allow-methods": "GET,HEAD,POST",
      "access-control-max-age": "7200",
    });
    const refused = crossed(at, B, "OPTIONS");
    expect(refused["access-control-allow-origin"]).toBeUndefined();
  });
});

it("a key is shown with its state, its dates and its bounds, and never with its hash", () => {
  const least = {
    ...{ id: "i", name: "n", hash: "h", scopes: ["write" as const], isPublic: true, limits: {}, createdAtMs: T },
  };
  const shown = {
    ...{ id: "i", name: "n", scopes: ["write"], public: true, limits: {}, state: "active" },
    createdAt: "2026-11-21T10:00:00.000Z",
  };
  expect(shownKey(least, T)).toEqual(shown);
  const bounds = { eventTypes: ["VIEW"], origins: ["https://a.example"], limits: { eventsPerDay: 5 } };
  expect(shownKey({ ...least, ...bounds }, T)).toEqual({ ...shown, ...bounds });
  const expiring = { ...least, expiresAtMs: T + 1_000 };
  const expiresAt = "2026-11-21T10:00:01.000Z";
  expect(shownKey(expiring, T + 999)).toEqual({ ...shown, expiresAt });
  for (const now of [T + 1_000, T + 1_001])
    expect(shownKey(expiring, now)).toEqual({ ...shown, state: "expired", expiresAt });
  expect(shownKey({ ...expiring, revokedAtMs: T, lastUsedAtMs: T + 1 }, T + 5_000)).toEqual({
    ...{ ...shown, state: "revoked", expiresAt },
    ...{ revokedAt: "2026-11-21T10:00:00.000Z", lastUsedAt: "2026-11-21T10:00:00.001Z" },
  });
});

it("the problems of both APIs have a status, say when to come again, and are told in the members of RFC 9457", () => {
  expect(methodNotAllowed("GET, HEAD")).toEqual({
    ...{ kind: "method-not-allowed", status: 405, detail: "only GET, HEAD is possible here" },
    headers: { Allow: "GET, HEAD" },
  });
  const again = (seconds: string) => ({ headers: { "Retry-After": seconds } });
  expect(overloaded("d")).toEqual({ kind: "overloaded", status: 429, detail: "d", ...again("1") });
  expect(unavailable("d")).toEqual({ kind: "unavailable", status: 503, detail: "d", ...again("2") });
  expect(internal()).toMatchObject({ kind: "internal", status: 500 });
  const members = {
    type: "urn:viewmill:problem:overloaded",
    title: "Too much",
    status: 429,
    detail: "d",
    instance: "i",
  };
  const text = (more?: object) => problemText(overloaded("d"), { overloaded: "Too much" }, "i", { ...more });
  expect(JSON.parse(text())).toEqual(members);
  expect(JSON.parse(text({ reason: "r" }))).toEqual({ ...members, reason: "r" });
});

it("a refusal has its kind, its status, and what a client needs to go on", () => {
  expect(keysUnavailable()).toMatchObject({ kind: "keys-unavailable", status: 503, headers: { "Retry-After": "2" } });
  expect(forbidden("d")).toEqual({ kind: "forbidden", status: 403, detail: "d", headers: {} });
  expect(unauthorized("d")).toMatchObject({ kind: "unauthorized", status: 401, detail: "d" });
});

it("the id of a key is in its text; a text that no key has, has none", () => {
  for (const isPublic of [true, false]) {
    const { id, text } = newKeyText(isPublic);
    expect(idOf(text)).toBe(id);
  }
  expect(idOf(`vm_a_${"s".repeat(195)}`)).toBe("a");
  for (const none of ["", "vm", "vm_", "vm_a", "_a_s", "key_a_s", "vmpublic_a_s", `vm_a_${"s".repeat(196)}`])
    expect([none, idOf(none)]).toEqual([none, undefined]);
});

it("an origin is one as browsers send it, or *", () => {
  for (const origin of ["*", "https://a.example", "http://a.example:8080"]) expect(isOrigin(origin)).toBe(true);
  for (const text of [
    "",
    "a.example",
    "https://a.example/",
    "https://a.example/x",
    "ftp://a.example",
    "https://A.example",
  ])
    expect([text, isOrigin(text)]).toEqual([text, false]);
});

it("a new key has what was asked for and nothing else, and a public one may do nothing but write", async () => {
  const asked = { name: "n", scopes: ["read", "write"] as const };
  const { key: made } = await createKey(store, newKeySchema.parse(asked), T);
  expect(Object.keys(made)).toEqual(["id", "name", "hash", "scopes", "isPublic", "limits", "createdAtMs"]);
  expect(made).toMatchObject({ scopes: ["write", "read"], isPublic: false, limits: {}, createdAtMs: T });
  expect(newKeySchema.safeParse({ ...asked, public: true }).success).toBe(false);
  expect(newKeySchema.safeParse({ ...asked, scopes: ["write"], public: true }).success).toBe(true);
});

it("the operator's own key alone closes the service, too", async () => {
  const at = await admission({ operatorKeyHash: hashOf(OPERATOR) });
  expect([at.needsKeys, statusOf(at, "read"), statusOf(at, "read", { text: OPERATOR })]).toEqual([true, 401, 200]);
});

it("a key may what its scopes say, and nothing else", async () => {
  for (const scope of ["write", "read", "operate"] as const) {
    const text = await key({ scopes: [scope] });
    const at = await admission();
    expect(at.needsKeys).toBe(true);
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
  for (const url of [`/v1/key=${publicKey}`, "/v1/events?", "/v1/events?monkey=1", `key=${publicKey}`, undefined])
    expect(at.judge({ url, headers: {} }, "write")).toMatchObject({
      refusal: { detail: expect.stringContaining("send a key"), headers: { "WWW-Authenticate": /realm="viewmill"$/ } },
    });
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

it("a limited key that may not do this is told its limits, and pays nothing", async () => {
  const limits = { requestsPerSecond: 10, eventsPerDay: 5 };
  const text = await key({ scopes: ["write"], origins: ["https://a.example"], limits });
  const at = await admission();
  for (let n = 0; n < 100; n++)
    for (const scope of ["write", "read"] as const)
      expect(judged(at, scope, { text })).toMatchObject({
        refusal: {
          status: 403,
          headers: { RateLimit: expect.stringMatching(/^"requests";r=20;t=0, "day";r=5;t=\d+$/) },
        },
      });
  const headers = { origin: "https://a.example" };
  expect(statusOf(at, "write", { text, headers })).toBe(200);
});

it("a payment of yesterday that is taken back today gives nothing to today", async () => {
  const text = await key({ scopes: ["write"], limits: { eventsPerDay: 5 } });
  const at = await admission();
  nowMs = Math.ceil(T / DAY) * DAY - 1;
  const caller = callerOf(at, text);
  expect(caller.settle(4, 1)).toBeUndefined();
  nowMs += 1;
  caller.giveBack(4, 1);
  expect(callerOf(at, text).settle(6, 1)).toMatchObject({ kind: "quota-exceeded" });
  expect(callerOf(at, text).settle(5, 1)).toBeUndefined();
});

it("a key of event types sends these alone", async () => {
  const text = await key({ scopes: ["write"], eventTypes: ["VIEW", "LIKE"] });
  const every = await key({ scopes: ["write"] });
  const at = await admission();
  const caller = callerOf(at, text);
  expect(caller.mayType(["VIEW", "LIKE"])).toBeUndefined();
  expect(caller.mayType(["VIEW", "SHARE"])).toMatchObject({ status: 403 });
  expect(callerOf(at, every).mayType(["SHARE"])).toBeUndefined();
});

it("a refusal says what the key may, and what is needed", async () => {
  const writer = await key({ scopes: ["write"], eventTypes: ["VIEW", "LIKE"] });
  const both = await key({ scopes: ["write", "read"] });
  const paged = await key({ scopes: ["write"], origins: ["https://a.example"] });
  const at = await admission();
  const detail = (scope: Scope, asked: Asked) => {
    const verdict = judged(at, scope, asked);
    return verdict.kind === "refused" ? verdict.refusal.detail : undefined;
  };
  expect(callerOf(at, writer).mayType(["SHARE"])?.detail).toBe("the key may send events of type VIEW, LIKE only");
  expect(detail("read", { text: writer })).toBe("the key may write, and this needs read");
  expect(detail("operate", { text: both })).toBe("the key may write and read, and this needs operate");
  expect(detail("write", { url: `/?key=${writer}` })).toMatch(/send it as Authorization: Bearer$/);
  expect(detail("write", { text: paged })).toBe("the key is for pages of other origins");
  expect(detail("read", { text: newKeyText(false).text })).toBe("the key is unknown, expired or revoked");
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
  const { warned, logger } = listening();
  const at = await admission({ keys, operatorKeyHash: hashOf(OPERATOR), refreshMs: 20, maxStaleMs: 300, logger });
  expect(statusOf(at, "read", { text })).toBe(200);
  isAway = true;
  await until("refused", () => statusOf(at, "read", { text }) === 503);
  expect(new Set(warned)).toEqual(new Set(["the access keys cannot be read now: away"]));
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
  const overMidnight = callerOf(two, text);
  nowMs += DAY;
  expect(overMidnight.settle(100, 1)).toBeUndefined();
});

it("every answer of a key with a daily quota alone says what is left of the day", async () => {
  const text = await key({ scopes: ["write", "read"], limits: { eventsPerDay: 100 } });
  const at = await admission();
  const left = () => callerOf(at, text).headers();
  const policy = { "RateLimit-Policy": '"day";q=100;w=86400;qu="events"' };
  expect(left()).toEqual({ ...policy, RateLimit: `"day";r=100;t=${14 * 3600}` });
  expect(callerOf(at, text).settle(60, 1)).toBeUndefined();
  const fields = { ...policy, RateLimit: `"day";r=40;t=${14 * 3600}` };
  expect(left()).toEqual(fields);
  expect(callerOf(at, text).settle(41, 1)?.headers).toEqual({ "Retry-After": String(14 * 3600), ...fields });
});

it("a key works at once on the instance that makes it, and no longer once that instance revokes it", async () => {
  const logger = pino({ level: "silent" });
  const open = async () => {
    const ring = await KeyRing.open({ store, clock: () => nowMs, logger, refreshMs: 3_600_000 });
    rings.push(ring);
    return ring;
  };
  const [one, other] = [await open(), await open()];
  const at = new Admission({ keys: one, clock: () => nowMs });
  const asked = newKeySchema.parse({ name: "n", scopes: ["read"] });
  const { key: made, text } = await createKey(one.changing(), asked, nowMs);
  expect([at.needsKeys, statusOf(at, "read", { text }), other.required]).toEqual([true, 200, false]);
  expect((await one.changing().list(0)).map(({ id }) => id)).toEqual([made.id]);
  expect(await one.changing().revoke("none", nowMs)).toBe(false);
  expect(await one.changing().revoke(made.id, nowMs)).toBe(true);
  expect(statusOf(at, "read", { text })).toBe(401);
});

it("a read of the keys that began before a change does not undo what the change showed", async () => {
  const slow = Promise.withResolvers<void>();
  let reads = 0;
  const list: AccessKeys["list"] = async (day) => {
    const listed = await store.list(day);
    if (++reads === 2) await slow.promise;
    return listed;
  };
  const keys = { list, add: (each) => store.add(each) } as AccessKeys;
  const logger = pino({ level: "silent" });
  const ring = await KeyRing.open({ store: keys, clock: () => nowMs, logger, refreshMs: 3_600_000 });
  rings.push(ring);
  const older = ring.refresh();
  await until("the older read has its keys", () => reads === 2);
  const { text } = await createKey(ring.changing(), newKeySchema.parse({ name: "n", scopes: ["read"] }), nowMs);
  slow.resolve();
  await older;
  expect(ring.find(text).kind).toBe("key");
});

it("a key that was made is told, also where the keys cannot be read afterwards", async () => {
  let reads = 0;
  const list: AccessKeys["list"] = (day) =>
    reads++ === 0 ? store.list(day) : Promise.reject(new StoreUnavailableError("away"));
  const { warned, logger } = listening();
  const keys = { list, add: (each) => store.add(each) } as AccessKeys;
  const ring = await KeyRing.open({ store: keys, clock: () => nowMs, logger, refreshMs: 3_600_000 });
  rings.push(ring);
  const { key: made } = await createKey(ring.changing(), newKeySchema.parse({ name: "n", scopes: ["read"] }), nowMs);
  expect((await store.list(0)).map(({ id }) => id)).toEqual([made.id]);
  expect(warned).toEqual(["the access keys cannot be read after a change: away"]);
});

it("a key that has ended before it begins is not made, nor one of event types that sends no events", async () => {
  for (const expiresAt of [new Date(T).toISOString(), "2026-11-21T11:59:59+02:00", "1999-12-31T23:59:59Z"])
    await expect(key({ scopes: ["read"], expiresAt })).rejects.toThrow(
      `expiresAt: a time to come is wanted, not ${expiresAt}`,
    );
  expect(await store.list(0)).toEqual([]);
  await key({ scopes: ["read"], expiresAt: new Date(T + 1).toISOString() });
  const typed = (...scopes: Scope[]) => newKeySchema.safeParse({ name: "n", scopes, eventTypes: ["VIEW"] });
  expect([typed("write").success, typed("read", "write").success, typed("read", "operate").success]).toEqual([
    true,
    true,
    false,
  ]);
  expect(typed("read").error?.issues).toMatchObject([
    { path: ["eventTypes"], message: expect.stringContaining("without scope write") },
  ]);
});

it("what a ring has noted itself counts once, and the operator's own use is not noted", async () => {
  await key({ scopes: ["write"] });
  const noted: string[] = [];
  const noteUses = (instance: string, uses: readonly KeyUse[]) => {
    noted.push(...uses.map(({ keyId }) => keyId));
    return store.noteUses(instance, uses);
  };
  const keys = { list: (day: number) => store.list(day), noteUses } as unknown as AccessKeys;
  const open = () => KeyRing.open({ store: keys, clock: () => nowMs, logger: pino({ level: "silent" }) });
  const [one, two] = [await open(), await open()];
  const today = Math.floor(nowMs / DAY);
  const [{ id }] = (await store.list(today)) as [ListedKey];
  one.used(id, 60);
  one.used("operator", 7);
  for (const ring of [one, two]) await ring.close();
  for (const ring of [one, two]) await ring.refresh();
  const [listed] = (await store.list(today)) as [ListedKey];
  expect([one, two].map((ring) => ring.eventsToday(listed))).toEqual([60, 60]);
  expect(noted).toEqual([id]);
});

it("a key without limits of its own has the deployment's", async () => {
  const text = await key({ scopes: ["read"] });
  await admission();
  const at = new Admission({ keys: rings.at(-1)!, clock: () => nowMs, defaultLimits: { requestsPerSecond: 1 } });
  const verdict = judged(at, "read", { text });
  expect(verdict.kind === "admitted" && verdict.caller.headers()).toMatchObject({
    "RateLimit-Policy": expect.stringContaining('"requests";q=2'),
  });
});

it("a key that may ask once a second is told so, and its caller has its id", async () => {
  const text = await key({ scopes: ["read", "write"], limits: { requestsPerSecond: 1, eventsPerSecond: 10 } });
  const at = await admission();
  const caller = callerOf(at, text);
  expect(caller.keyId).toBe((await store.list(0))[0]!.id);
  expect(caller.headers()).toMatchObject({ "RateLimit-Policy": expect.stringContaining('"requests";q=2;w=2') });
  expect(caller.settle(1_000, 1)).toBeUndefined();
  expect(caller.settle(1, 1)).toMatchObject({ kind: "rate-limited" });
  caller.giveBack(1_000, 1);
  expect(caller.settle(1, 1)).toBeUndefined();
  const refusals = Array.from({ length: 3 }, () => judged(at, "read", { text })).flatMap((verdict) =>
    verdict.kind === "refused" ? [verdict.refusal.kind] : [],
  );
  expect(refusals).toContain("rate-limited");
  const open = new Admission({ clock: () => nowMs }).judge({ headers: {} }, "read");
  expect(open).toMatchObject({ kind: "admitted", caller: { keyId: undefined } });
});

it("a use that cannot be noted is noted later, with the events that were refused as little as with none", async () => {
  const text = await key({ scopes: ["write"], limits: { eventsPerSecond: 10 } });
  let failures = 2;
  const noted: { events: number }[] = [];
  const keys: AccessKeys = {
    add: (each) => store.add(each),
    revoke: (...each) => store.revoke(...each),
    close: async () => undefined,
    list: (day) => store.list(day),
    noteUses: async (_instance, uses) => {
      if (failures-- > 0) throw new StoreUnavailableError("away");
      noted.push(...uses);
    },
  };
  const { warned, logger } = listening();
  const caller = callerOf(await admission({ keys, refreshMs: 10, logger }), text);
  expect(caller.settle(1_000, 1)).toBeUndefined();
  expect(caller.settle(7, 1)).toMatchObject({ kind: "rate-limited" });
  await until("noted", () => noted.length > 0);
  expect(noted.map(({ events }) => events)).toEqual([1_000]);
  expect(warned).toEqual(Array(2).fill("the use of access keys cannot be noted now: away"));
});

it("a ring whose last notes fail closes all the same, and says so", async () => {
  const text = await key({ scopes: ["read"] });
  const warned: string[] = [];
  const logger = pino({ level: "warn" }, { write: (line: string) => void warned.push(line) });
  const noteUses = () => Promise.reject(new StoreUnavailableError("away"));
  const keys = { list: (day: number) => store.list(day), noteUses } as unknown as AccessKeys;
  const ring = await KeyRing.open({ store: keys, clock: () => nowMs, logger });
  expect(statusOf(new Admission({ keys: ring, clock: () => nowMs }), "read", { text })).toBe(200);
  await ring.close();
  expect(warned.map((line) => JSON.parse(line))).toMatchObject([
    { err: { message: "away" }, msg: "the last use of keys is not noted" },
  ]);
});

it("a ring that is closed while it reads the keys reads them no more", async () => {
  const listed = Promise.withResolvers<Awaited<ReturnType<AccessKeys["list"]>>>();
  let reads = 0;
  const list = () => (reads++ === 0 ? Promise.resolve([]) : listed.promise);
  vi.useFakeTimers();
  try {
    const logger = pino({ level: "silent" });
    const ring = await KeyRing.open({ store: { list } as unknown as AccessKeys, clock: () => nowMs, logger });
    await vi.advanceTimersByTimeAsync(1_999);
    expect(reads).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(reads).toBe(2);
    const closed = ring.close();
    listed.resolve([]);
    await closed;
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

it("the last use of a key is told", async () => {
  const text = await key({ scopes: ["read"] });
  const at = await admission({ refreshMs: 20 });
  nowMs = T + 5_000;
  expect(statusOf(at, "read", { text })).toBe(200);
  await until("noted", async () => (await store.list(0))[0]?.lastUsedAtMs === T + 5_000);
});

it("a 401 asks for a key, and names the error of a key that was sent", () => {
  expect(unauthorized("send a key")).toMatchObject({
    status: 401,
    headers: { "WWW-Authenticate": 'Bearer realm="viewmill"' },
  });
  expect(unauthorized("the key is unknown", "invalid_token")).toMatchObject({
    headers: { "WWW-Authenticate": 'Bearer realm="viewmill", error="invalid_token"' },
  });
});
