// SPDX-License-Identifier: Apache-2.0
/** The text of buckets beside the plain way to write it, of ranges that are asked for again and again. */
import fc from "fast-check";
import type { BucketState } from "../../domain/rules/bucket-state";
import { askedRange } from "../../query-api/asked-range";
import { bareBucketsText, bucketsText, revisionText, sourceText } from "../../query-api/bucket-text";
import { asBuckets, type BucketedRange } from "../../query-api/range";
import { type Aggregates, aggregateText, NOTHING } from "../../query-api/series";
import { iso, MINUTE, NOW_MS } from "./query-harness";

const STATES: readonly BucketState[] = ["provisional", "final", "audited", "closed"];
const FUNCTIONS = ["COUNT", "SUM", "AVERAGE"] as const;

/** As if every bucket were written anew. */
function plainText(
  { edges }: BucketedRange,
  states: readonly BucketState[],
  members: readonly string[],
  buckets: readonly Aggregates[],
): string {
  const texts = buckets.map((aggregates, bucket) => {
    const history = `${revisionText(aggregates)}${sourceText(aggregates)}`;
    return `{"start":"${iso(edges[bucket]!)}",${members[bucket]},"state":"${states[bucket]}"${history}}`;
  });
  return `[${texts.join(",")}]`;
}

const aggregates: fc.Arbitrary<Aggregates> = fc.record(
  {
    count: fc.integer({ min: 1, max: 1e9 }),
    sum: fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
    valued: fc.integer({ min: 0, max: 1e9 }),
    revision: fc.integer({ min: 0, max: 2 }),
    source: fc.constant("rollup" as const),
  },
  { requiredKeys: ["count", "sum", "valued", "revision"] },
);
const bucket = fc.oneof({ weight: 3, arbitrary: fc.constant(NOTHING) }, { weight: 1, arbitrary: aggregates });

it("is the plain text, whatever was written for the same range and the same states before", () => {
  const lengths = fc.integer({ min: 1, max: 90 });
  const shape = lengths.chain((length) =>
    fc.record({
      startMinute: fc.integer({ min: 0, max: 40_000_000 }),
      steps: fc.array(fc.integer({ min: 1, max: 44_640 }), { minLength: length, maxLength: length }),
      stateLists: fc.array(fc.array(fc.constantFrom(...STATES), { minLength: length, maxLength: length }), {
        minLength: 1,
        maxLength: 2,
      }),
      asked: fc.array(
        fc.record({
          states: fc.nat(),
          fn: fc.constantFrom(...FUNCTIONS),
          buckets: fc.array(bucket, { minLength: length, maxLength: length }),
        }),
        { minLength: 1, maxLength: 6 },
      ),
    }),
  );
  fc.assert(
    fc.property(shape, ({ startMinute, steps, stateLists, asked }) => {
      const edges = [startMinute * MINUTE];
      for (const minutes of steps) edges.push(edges.at(-1)! + minutes * MINUTE);
      const range = asBuckets("minute", edges);
      const texts = new Map<string, string>();
      for (const { states: chosen, fn, buckets } of asked) {
        const states = stateLists[chosen % stateLists.length]!;
        const memberOf = (each: Aggregates) => `"${fn}":${aggregateText(fn, each)}`;
        const { text, digest } = bucketsText(range, states, memberOf, buckets);
        expect(text).toBe(plainText(range, states, buckets.map(memberOf), buckets));
        // The digest stands for the text: of the entity tag.
        expect(texts.get(digest) ?? text).toBe(text);
        texts.set(digest, text);
        const starts = buckets.map((_, at) => `{"start":"${iso(edges[at]!)}","state":"${states[at]}"}`);
        expect(bareBucketsText(range, states)).toBe(`[${starts.join(",")}]`);
      }
      expect(new Set(texts.values()).size).toBe(texts.size);
    }),
    { numRuns: 200 },
  );
});

it("a question that means the same at every time has one range, and any other one a range of its time", () => {
  const ends = { start: NOW_MS - 60 * MINUTE, end: NOW_MS, granularity: "minute" as const };
  const first = askedRange(ends, NOW_MS);
  expect(first.ok && first.asked.range.buckets).toBe(61);
  expect(askedRange(ends, NOW_MS + 5 * MINUTE)).toBe(first);
  expect(askedRange({ ...ends }, NOW_MS)).toEqual(first);
  const open = { start: NOW_MS - 60 * MINUTE, granularity: "minute" as const };
  const lengths = [0, 5].map((minutes) => {
    const answered = askedRange(open, NOW_MS + minutes * MINUTE);
    return answered.ok ? answered.asked.range.buckets : undefined;
  });
  expect(lengths).toEqual([61, 66]);
});
