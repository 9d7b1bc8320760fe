// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers are judged by their text, though few texts are looked at: the search may miss none whose double says
 * something else.
 */
import fc from "fast-check";
import { isIntegerText } from "../../domain/decimal-text";
import type { Content } from "../../intake/content";
import { CONTRACT_LIMITS } from "../../intake/limits";
import { takeBody } from "../../intake/take-body";
import type { IntakeRules } from "../../intake/taken";

const NOW = Date.UTC(2026, 10, 29, 8);
const rules: IntakeRules = {
  receivedAtMs: NOW,
  rawRetentionMs: Number.POSITIVE_INFINITY,
  limits: CONTRACT_LIMITS,
  untimed: { kind: "receipt" },
};

const digits = (minLength: number, maxLength: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength, maxLength }).map((all) => all.join(""));
const whole = (text: string) => text.replace(/^0+(?=\d)/, "");

/** Integers with something small added, around the length from which a double may swallow it. */
const nearInteger = fc
  .tuple(
    fc.nat(3),
    fc.integer({ min: 1, max: 2 ** 53 - 1 }),
    fc.integer({ min: 0, max: 20 }),
    fc.integer({ min: 0, max: 9 }),
  )
  .map(([shift, n, zeros, last]) => {
    const kept = String(n).slice(0, shift * 5 + 1);
    return `${kept}.${"0".repeat(zeros)}${last}`;
  });
const anyDecimal = fc
  .tuple(digits(1, 20), fc.option(digits(1, 20)), fc.option(fc.integer({ min: -330, max: 20 })))
  .map(([before, after, exponent]) => {
    return `${whole(before)}${after === null ? "" : `.${after}`}${exponent === null ? "" : `e${exponent}`}`;
  });
const belowInteger = fc
  .tuple(fc.nat(1e6), fc.integer({ min: 1, max: 20 }))
  .map(([n, nines]) => `${n}.${"9".repeat(nines)}`);
const shifted = fc
  .tuple(digits(14, 19), fc.integer({ min: 1, max: 19 }))
  .map(([all, places]) => `${whole(all)}E-${places}`);
const number = fc
  .tuple(fc.boolean(), fc.oneof(nearInteger, anyDecimal, belowInteger, shifted))
  .map(([negative, text]) => (negative ? `-${text}` : text));

/** The forms in which a value is sent. `pad` moves the number over the bytes that a search may look at. */
const FORMS: Record<string, { content: Content; text: (value: string, pad: string) => string }> = {
  "an array": {
    content: { format: "json", encoding: "identity" },
    text: (value, pad) => `[${event("1", '"value":1')}, ${event("2", `"p":"${pad}","value" : ${value}`)}]`,
  },
  "a key with an escape": {
    content: { format: "json", encoding: "identity" },
    text: (value, pad) => `[${event("1", '"value":1')},${event("2", `"p":"${pad}","v\\u0061lue":${value}`)}]`,
  },
  lines: {
    content: { format: "ndjson", encoding: "identity" },
    text: (value, pad) => `${event("1", '"value":1')}\n${event("2", `"p":"${pad}é","value":${value}`)}`,
  },
  "CloudEvents with data": {
    content: { format: "cloudevents-batch", encoding: "identity" },
    text: (value, pad) =>
      `[${cloudEvent("1", '"data":{"value":1}')},${cloudEvent("2", `"data":{"p":"${pad}","value":${value}}`)}]`,
  },
  "CloudEvents with data in base64": {
    content: { format: "cloudevents-batch", encoding: "identity" },
    text: (value, pad) => {
      const data = Buffer.from(`{"p":"${pad}","value":${value}}`).toString("base64");
      return `[${cloudEvent("1", '"data":{"value":1}')},${cloudEvent("2", `"data_base64":"${data}"`)}]`;
    },
  },
};

const event = (id: string, members: string) => `{"eventId":"e-${id}","videoId":"v","eventType":"VIEW",${members}}`;
const cloudEvent = (id: string, members: string) =>
  `{"specversion":"1.0","id":"e-${id}","source":"s","subject":"v","type":"VIEW",${members}}`;

test.each(Object.entries(FORMS))(
  "%s: a value is accepted where its text is an integer within the bounds",
  (_, { content, text }) => {
    const seen = { accepted: 0, hidden: 0 };
    fc.assert(
      fc.property(number, fc.string({ maxLength: 20, unit: fc.constantFrom("a", "1", ".") }), (value, pad) => {
        const taken = takeBody(Buffer.from(text(value, pad)), content, rules);
        if (taken.kind !== "events") throw new Error(taken.kind);
        const isWhole = isIntegerText(value);
        const isSafe = Number.isSafeInteger(Number(value));
        expect({ value, accepted: taken.columns.count }).toEqual({ value, accepted: isWhole && isSafe ? 2 : 1 });
        if (isWhole && isSafe) seen.accepted++;
        if (!isWhole && isSafe) seen.hidden++;
      }),
      { numRuns: 1000 },
    );
    expect(seen.accepted).toBeGreaterThan(0);
    expect(seen.hidden).toBeGreaterThan(0);
  },
);

test.each(["value", "eventTime"])("a %s of zero that is none", (name) => {
  for (const text of ["1e-400", "-1e-0400", `0.${"0".repeat(330)}1`, "123456789012345e-350"]) {
    const sent = `[${event("1", `"${name}":${text}`)},${event("2", `"${name}":0`)}]`;
    const taken = takeBody(Buffer.from(sent), { format: "json", encoding: "identity" }, rules);
    expect(taken).toMatchObject({ kind: "events", columns: { count: 1 }, rejected: [{ index: 0 }] });
  }
});
