// SPDX-License-Identifier: Apache-2.0
import { killAfter, PACKING, ROLLING, SEED } from "./kill-of-tiering";
import { TierHarness } from "./tier-harness";

describe("kill -9 of tiering", () => {
  it.each([...PACKING, ...ROLLING])(`after %s loses nothing and doubles nothing (seed ${SEED})`, async (step) => {
    const harness = await TierHarness.open();
    try {
      await killAfter(step, harness);
    } finally {
      await harness.close();
    }
  });
});
