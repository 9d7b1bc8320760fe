// SPDX-License-Identifier: Apache-2.0
/** /v1/keys: what is refused, and that a change holds at once on the instance that makes it. */
import pino from "pino";
import request from "supertest";
import { Admission } from "../../admission/admission";
import { KeyRing } from "../../admission/key-ring";
import { hashOf } from "../../admission/key-text";
import { SqliteAccessKeys } from "../../io/sqlite/access-keys";
import { removeFolders, temporaryFolder } from "../io/ports/condition";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { iso, NOW_MS, QueryHarness } from "./query-harness";

const OPERATOR = "an-operator-key-of-more-than-32-characters";
const stores = emptiedStores();
let harness: QueryHarness;
let close: () => Promise<void>;
beforeEach(async () => {
  const store = new SqliteAccessKeys({ folder: temporaryFolder() });
  const clock = () => NOW_MS;
  const logger = pino({ level: "silent" });
  const keys = await KeyRing.open({
    ...{ store, clock, logger, operatorKeyHash: hashOf(OPERATOR), refreshMs: 3_600_000 },
  });
  const admission = new Admission({ keys, clock });
  harness = await QueryHarness.start(() => ({ admission, accessKeys: keys.changing() }), (await stores()).log);
  close = async () => {
    await harness.stop();
    await keys.close();
    await store.close();
  };
});
afterEach(async () => {
  await close();
  removeFolders();
});

const as = (sent: request.Test, key: string) => sent.set("Authorization", `Bearer ${key}`);
const make = (asked: object) => as(request(harness.app).post("/v1/keys"), OPERATOR).send({ name: "n", ...asked });
const read = (key: string) => as(request(harness.app).get("/v1/top"), key);

it("a new key works at once, and a revoked one no longer", async () => {
  const { id, key } = (await make({ scopes: ["read"], expiresAt: iso(NOW_MS + 1_000) }).expect(200)).body;
  await read(key).expect(200);
  await as(request(harness.app).delete(`/v1/keys/${id}`), OPERATOR).expect(200);
  await read(key).expect(401);
});

it("a key that has ended, and event types without scope write, are refused by the property's name", async () => {
  for (const [asked, detail] of [
    [{ scopes: ["read"], expiresAt: iso(NOW_MS) }, /^expiresAt: a time to come is wanted, not 2026-/],
    [{ scopes: ["read"], eventTypes: ["VIEW"] }, /^eventTypes: a key without scope write/],
  ] as const) {
    const refused = await make(asked)
      .expect(400)
      .expect("Content-Type", /^application\/problem\+json/);
    expect(refused.body.detail).toMatch(detail);
  }
  expect((await as(request(harness.app).get("/v1/keys"), OPERATOR)).body.keys).toEqual([]);
});

it("what a key has read is kept by no cache that others share, its 304 neither", async () => {
  const { key } = (await make({ scopes: ["read"] }).expect(200)).body;
  for (const path of ["/v1/videos/v", "/v1/videos/v/counts?start=2026-11-20T00:00:00Z&end=2026-11-20T01:00:00Z"]) {
    const asked = () => as(request(harness.app).get(path), key);
    const { headers } = await asked().expect(200);
    expect(headers["cache-control"]).toMatch(/^private, max-age=\d+/);
    const again = await asked().set("If-None-Match", headers.etag!).expect(304);
    expect(again.headers["cache-control"]).toMatch(/^private, /);
  }
});

it("reads of a key with a daily quota say what is left of it", async () => {
  const { key } = (await make({ scopes: ["read", "write"], limits: { eventsPerDay: 7 } }).expect(200)).body;
  await read(key)
    .expect("RateLimit-Policy", '"day";q=7;w=86400;qu="events"')
    .expect("RateLimit", /^"day";r=7;t=\d+$/);
});
