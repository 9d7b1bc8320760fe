// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import {
  decodeAccepted,
  encodeAccepted,
  MAX_ACCEPTED_TEXT_BYTES,
} from "../../../../io/formats/messages/accepted-minutes";
import { letterAttributes } from "../../../../io/formats/messages/letter-attributes";

const batchOf = (acceptedByMinute: Map<number, number>) => ({
  acceptedByMinute,
  events: [...acceptedByMinute.values()].reduce((sum, events) => sum + events, 0),
});

describe("the declaration of a batch", () => {
  it("comes back from its text as it was", () => {
    const minutes = fc.uniqueArray(fc.tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.nat(1e6)), {
      selector: ([minute]) => minute,
      maxLength: 200,
    });
    fc.assert(
      fc.property(minutes, (entries) => {
        const accepted = new Map(entries);
        expect(decodeAccepted(encodeAccepted(batchOf(accepted)))).toEqual(accepted);
      }),
    );
  });

  it("of 500 events in one minute takes eight bytes", () => {
    expect(encodeAccepted(batchOf(new Map([[29_000_000, 500]])))).toBe(`${(29_000_000).toString(36)}:dw`);
  });

  it("of any 10,000 events over six years fits", () => {
    const farthest = 6 * 365 * 24 * 60;
    const spread = fc.array(fc.integer({ min: 0, max: farthest }), {
      minLength: 10_000,
      maxLength: 10_000,
      size: "max",
    });
    fc.assert(
      fc.property(spread, fc.integer({ min: 1, max: farthest }), (draws, within) => {
        const accepted = new Map<number, number>();
        for (const draw of draws) {
          const minute = 29_000_000 + (draw % within);
          accepted.set(minute, (accepted.get(minute) ?? 0) + 1);
        }
        expect(encodeAccepted(batchOf(accepted)).length).toBeLessThanOrEqual(MAX_ACCEPTED_TEXT_BYTES);
      }),
      { numRuns: 20 },
    );
    // The worst: every step takes two digits, and as many as there is room for take three.
    const worst = new Map([[29_000_000, 1]]);
    const farSteps = Math.floor((farthest - 9_999 * 36) / (1_296 - 36));
    let minute = 29_000_000;
    for (let n = 0; n < 9_999; n++) {
      minute += n < farSteps ? 1_296 : 36;
      worst.set(minute, 1);
    }
    expect(encodeAccepted(batchOf(worst)).length).toBeLessThanOrEqual(MAX_ACCEPTED_TEXT_BYTES);
  });

  it("is refused when it does not add up or is too long", () => {
    expect(() => encodeAccepted({ events: 3, acceptedByMinute: new Map([[1, 2]]) })).toThrow(RangeError);
    expect(() => encodeAccepted({ events: -1, acceptedByMinute: new Map([[1, -1]]) })).toThrow(RangeError);
    expect(() => encodeAccepted({ events: 1, acceptedByMinute: new Map([[1.5, 1]]) })).toThrow(RangeError);
    const far = new Map(Array.from({ length: 10_000 }, (_, n) => [n * 1e6, 1]));
    expect(() => encodeAccepted(batchOf(far))).toThrow(/32768/);
  });

  it("of somebody else's making is none", () => {
    for (const text of [
      "x!",
      "1:",
      ":1",
      "1,,2",
      "1,-1",
      "1,0",
      "zzzzzzzzzzzz",
      "zzzzzzzzzzz,zzzzzzzzzzz",
      "1".repeat(40_000),
    ]) {
      expect(decodeAccepted(text)).toBeUndefined();
    }
    expect(decodeAccepted("")).toEqual(new Map());
  });
});

test("the attributes of a dead letter fit into Pub/Sub's limit, cut at a character", () => {
  const attributes = letterAttributes({
    receivedAtMs: 1,
    reason: "bad-event-id",
    detail: `x${"é".repeat(2_000)}`,
    eventId: "漢".repeat(2_000),
    payload: Buffer.from("whole"),
    contentType: "application/json",
    source: "ingest",
  });
  for (const value of Object.values(attributes)) {
    expect(Buffer.byteLength(value)).toBeLessThanOrEqual(1_024);
    expect(value).not.toContain("\ufffd");
  }
  expect(attributes["viewmill-detail"]).toBe(`x${"é".repeat(511)}`);
  expect(attributes["viewmill-event-id"]).toBe("漢".repeat(341));
});
