// SPDX-License-Identifier: Apache-2.0
import { sharedAudits } from "../../query-api/shared-audits";

describe("audited minutes are read once a while", () => {
  let nowMs = 0;
  let reads = 0;
  let isAway = false;
  const read = async (from: number, to: number, bucketMinutes: number) => {
    reads++;
    if (isAway) throw new Error("away");
    return new Map([[from, to + bucketMinutes + reads]]);
  };
  const shared = () => sharedAudits({ auditedCounts: read }, 20, () => nowMs);
  beforeEach(() => {
    [nowMs, reads, isAway] = [0, 0, false];
  });

  it("who asks for the same range within a moment shares the reading, also while it runs", async () => {
    const counts = shared();
    const [first, second] = await Promise.all([counts(0, 60, 60), counts(0, 60, 60)]);
    expect(second).toBe(first);
    nowMs = 19;
    expect(await counts(0, 60, 60)).toBe(first);
    nowMs = 20;
    expect(await counts(0, 60, 60)).not.toBe(first);
    expect(reads).toBe(2);
  });

  it("other ranges and widths are read by themselves", async () => {
    const counts = shared();
    await counts(0, 60, 60);
    await counts(0, 120, 60);
    await counts(60, 120, 60);
    await counts(0, 60, 1);
    expect(reads).toBe(4);
  });

  it("a failure is not kept", async () => {
    const counts = shared();
    isAway = true;
    await expect(counts(0, 60, 60)).rejects.toThrow("away");
    isAway = false;
    expect(await counts(0, 60, 60)).toEqual(new Map([[0, 122]]));
  });

  it("a bound of ranges is kept, whatever is asked", async () => {
    const counts = shared();
    for (let n = 0; n < 1_000; n++) await counts(n, n + 60, 60);
    await counts(999, 1_059, 60);
    expect(reads).toBe(1_000);
    await counts(0, 60, 60);
    expect(reads).toBe(1_001);
  });
});
