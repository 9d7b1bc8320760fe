// SPDX-License-Identifier: Apache-2.0
import { waitsForAudit } from "../../../cli/sending/waiting-letter";
import { encodeBatch } from "../../../io/formats/avro/batch";
import { columnsOf, T0 } from "../../domain/model";
import { event } from "../../transforms/elements";

const HOUR_MS = 3_600_000;
const rule = { receivedAtMs: T0 + 2 * HOUR_MS, allowedLatenessMs: HOUR_MS };
const sent = (text: string, contentType = "application/json") => ({ bytes: Buffer.from(text), contentType });
const one = (eventTime: number) => JSON.stringify({ eventId: "a", videoId: "v", eventType: "VIEW", eventTime });

it("an event within the lateness rule is counted at once, an older one by the next audit", () => {
  expect(waitsForAudit(sent(one(T0 + HOUR_MS)), rule)).toBe(false);
  expect(waitsForAudit(sent(one(T0 + HOUR_MS - 1)), rule)).toBe(true);
});

it("one old event of many is enough, in every form", () => {
  const [old, fresh] = [one(T0), one(T0 + 2 * HOUR_MS)];
  expect(waitsForAudit(sent(`[${fresh},${old}]`), rule)).toBe(true);
  expect(waitsForAudit(sent(`${fresh}\n${fresh}`, "application/x-ndjson"), rule)).toBe(false);
  expect(waitsForAudit(sent(`${fresh}\n${old}`, "application/x-ndjson"), rule)).toBe(true);
  const header = { receivedAtMs: T0, producerId: "p", batchId: "b" };
  const bytes = encodeBatch(columnsOf([event("a")]), header);
  expect(waitsForAudit({ bytes, contentType: "application/vnd.viewmill.batch+avro" }, rule)).toBe(true);
});

it("one machine counts everything at once; what cannot be read here waits", () => {
  expect(waitsForAudit(sent(one(0)), { ...rule, allowedLatenessMs: -1 })).toBe(false);
  expect(waitsForAudit(sent("{", "application/json"), rule)).toBe(true);
  expect(waitsForAudit(sent("x", "application/else"), rule)).toBe(true);
});
