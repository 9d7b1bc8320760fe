// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { grownMost } from "../../../domain/rules/growth";

const counted = fc.uniqueArray(fc.record({ videoId: fc.constantFrom("a", "b", "c", "d", "e"), count: fc.nat(4) }), {
  selector: ({ videoId }) => videoId,
});

test("the videos that grew most come first, by name where they grew alike, and none that did not grow", () => {
  fc.assert(
    fc.property(counted, counted, fc.nat(5), (after, before, limit) => {
      const found = grownMost(after, before, limit);
      const growth = new Map<string, number>();
      for (const { videoId, count } of after)
        growth.set(videoId, count - (before.find((one) => one.videoId === videoId)?.count ?? 0));
      const grown = [...growth].filter(([, by]) => by > 0);
      expect(found.map(({ videoId, count, previous }) => [videoId, count - previous])).toEqual(
        grown.sort(([a, n], [b, m]) => (n === m ? a.localeCompare(b) : m - n)).slice(0, limit),
      );
      for (const { videoId, count } of found) expect(after.find((one) => one.videoId === videoId)?.count).toBe(count);
    }),
  );
  expect(grownMost([{ videoId: "new", count: 2 }], [], 1)).toEqual([{ videoId: "new", count: 2, previous: 0 }]);
});
