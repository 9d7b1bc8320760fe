// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { completeThrough } from "../../../domain/rules/freshness";

test("the counters are complete through the first event that is not counted, and never beyond now", () => {
  const held = fc.array(fc.option(fc.integer(), { nil: undefined }), { maxLength: 4 });
  fc.assert(
    fc.property(fc.integer(), held, (nowMs, heldAtMs) => {
      const through = completeThrough(nowMs, ...heldAtMs);
      for (const each of [nowMs, ...heldAtMs]) if (each !== undefined) expect(through).toBeLessThanOrEqual(each);
      expect([nowMs, ...heldAtMs]).toContain(through);
    }),
  );
});
