// SPDX-License-Identifier: Apache-2.0
/** GET /v1/pixel.gif: one event by the address of a picture. */

import { uuidV7 } from "../../client/uuid-v7";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { IngestHarness, NOW_MS } from "./ingest-harness";

let harness: IngestHarness;
const stores = emptiedStores();
beforeEach(async () => {
  harness = await IngestHarness.start({ stores: await stores() });
});
afterEach(() => harness.stop());

const ask = (query: Record<string, string>, init: RequestInit = {}) =>
  fetch(`${harness.url}/v1/pixel.gif?${new URLSearchParams(query)}`, init);
const EVENT = { eventId: "mail-1", videoId: "cats-42", eventType: "VIEW" };

it("stores the event of its address and answers one pixel that no cache keeps", async () => {
  const response = await ask({ ...EVENT, value: "-12", eventTime: String(NOW_MS - 5_000) });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("image/gif");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(bytes.subarray(0, 6).toString()).toBe("GIF89a");
  expect(bytes.readUInt16LE(6) * bytes.readUInt16LE(8)).toBe(1);
  expect(await harness.events()).toMatchObject([
    { eventId: "mail-1", videoId: "cats-42", eventType: "VIEW", eventTimeMs: NOW_MS - 5_000, value: -12 },
  ]);
});

it("takes the time from a UUIDv7, an RFC 3339 text, or stamps it for a retry", async () => {
  await ask({ ...EVENT, eventId: uuidV7(NOW_MS - 60_000) });
  await ask({ ...EVENT, eventId: "text", eventTime: new Date(NOW_MS - 30_000).toISOString() });
  await ask(EVENT);
  harness.nowMs += 90_000;
  await ask(EVENT);
  const times = (await harness.events()).map(({ eventTimeMs }) => eventTimeMs);
  expect(times).toEqual([NOW_MS - 60_000, NOW_MS - 30_000, NOW_MS, NOW_MS]);
});

it.each([
  [{ videoId: "cats-42", eventType: "VIEW" }, "missing-field"],
  [{ ...EVENT, videoId: "no video" }, "bad-video-id"],
  [{ ...EVENT, value: "1.5" }, "bad-value"],
  [{ ...EVENT, eventTime: "yesterday" }, "bad-event-time"],
])("refuses %j as %s, and keeps it as a dead letter", async (query, reason) => {
  const response = await ask(query as Record<string, string>);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ reason });
  const letters = await harness.letters();
  expect(letters.map((letter) => letter.reason)).toEqual([reason]);
});

it("keeps parameters that are no members of an event out of it: a key does not reach the archive", async () => {
  await ask({ ...EVENT, videoId: "no video", key: "secret", utm_source: "mail" });
  const [letter] = await harness.letters();
  expect(JSON.parse(Buffer.from(letter!.payload).toString())).toEqual({ ...EVENT, videoId: "no video" });
});

it.each(["%ff", "a%C3", "%ED%A0%80", "+%80+"])("keeps an id of %s as it stands in the address", async (eventId) => {
  const members = `eventId=${eventId}&videoId=v&eventType=VIEW`;
  const response = await fetch(`${harness.url}/v1/pixel.gif?key=secret&${members}&utm_source=mail`);
  expect([response.status, await response.json()]).toMatchObject([400, { detail: "eventId is no UTF-8 text" }]);
  const [letter] = await harness.letters();
  expect(Buffer.from(letter!.payload).toString()).toBe(members);
  expect(letter).toMatchObject({ reason: "not-json", contentType: "application/x-www-form-urlencoded" });
  expect(await harness.events()).toEqual([]);
});

it("judges text beyond ASCII, and the replacement character itself, as a body's text", async () => {
  const members = "eventId=caf%C3%A9-%EF%BF%BD&videoId=v&eventType=VIEW";
  const response = await fetch(`${harness.url}/v1/pixel.gif?${members}`);
  expect([response.status, await response.json()]).toMatchObject([400, { reason: "bad-event-id" }]);
  const [letter] = await harness.letters();
  expect(JSON.parse(Buffer.from(letter!.payload).toString())).toMatchObject({ eventId: "caf\u00e9-\ufffd" });
});

it("takes a plus before an offset, as a read does, and members whose names are written in percent signs", async () => {
  const eventTime = new Date(NOW_MS - 30_000 + 7_200_000).toISOString().replace("Z", "+02:00");
  for (const query of [`eventId=a&eventTime=${eventTime}`, `eventId=b&%65ventTime=${encodeURIComponent(eventTime)}`])
    expect((await fetch(`${harness.url}/v1/pixel.gif?${query}&videoId=v&eventType=VIEW`)).status).toBe(200);
  expect(await harness.events()).toMatchObject([{ eventTimeMs: NOW_MS - 30_000 }, { eventTimeMs: NOW_MS - 30_000 }]);
});

it.each(["5.0", "1e1", "-0", "12", "4.9999999999999999", "9007199254740991.4", "1e400", "007", "+5", "0x10", "5.", ""])(
  "judges a value or a time of %j as a body that holds the same text",
  async (text) => {
    const isJson = /^-?\d+(\.\d+)?(e\d+)?$/.test(text) && !/^0\d/.test(text);
    for (const member of ["value", "eventTime"]) {
      const image = await ask({ ...EVENT, eventId: `image-${member}`, [member]: text });
      const body = `${JSON.stringify({ ...EVENT, eventId: `body-${member}` }).slice(0, -1)},"${member}":${isJson ? text : JSON.stringify(text)}}`;
      const answer = await harness.post(body);
      expect(image.status).toBe(answer.body.accepted === 1 ? 200 : 400);
      const reason = image.status === 200 ? undefined : ((await image.json()) as { reason: string }).reason;
      expect(reason).toBe(answer.body.rejected?.[0]?.reason);
    }
    const values = (await harness.events()).flatMap(({ value }) => (value === undefined ? [] : [value]));
    expect(values[0]).toBe(values[1]);
    for (const { payload, reason } of await harness.letters())
      if (isJson && reason === "bad-value") expect(Buffer.from(payload).toString()).toContain(`:${text}}`);
  },
);

it("takes a question mark before a member's name for a part of the name, wherever the member stands", async () => {
  for (const query of ["?videoId=v&eventId=a&eventType=VIEW", "eventId=a&eventType=VIEW&?videoId=v"]) {
    const response = await fetch(`${harness.url}/v1/pixel.gif?${query}`);
    expect([response.status, await response.json()]).toMatchObject([400, { detail: "videoId is missing" }]);
  }
});

it("refuses a member that stands twice", async () => {
  const response = await fetch(`${harness.url}/v1/pixel.gif?${new URLSearchParams(EVENT)}&videoId=other`);
  expect(response.status).toBe(400);
});

it("counts nothing for a HEAD, and takes no POST", async () => {
  expect((await ask(EVENT, { method: "HEAD" })).status).toBe(200);
  expect((await ask(EVENT, { method: "POST" })).status).toBe(405);
  expect(await harness.events()).toEqual([]);
});
