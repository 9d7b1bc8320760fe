// SPDX-License-Identifier: Apache-2.0
import { simulateDisk } from "./disk-simulation";

/** Days and totals stay for ever: 40 cells a day, packed, and the ranking index of the day. */
const DAY_BYTES = 1_024;

it("disk use under a constant load is constant over simulated months", async () => {
  // Whole months of hours leave at once: the same day of the month, when every retention has begun to delete.
  const [before, after] = await simulateDisk([75, 136], { everyDays: 2, minutesAnHour: 1 });
  expect(after!.archiveFiles).toBe(before!.archiveFiles);
  expect(after!.archiveBytes / before!.archiveBytes).toBeCloseTo(1, 1);
  expect(after!.logBytes).toBeLessThan(before!.logBytes * 1.2);
  expect(after!.deadLettersBytes).toBeLessThan(before!.deadLettersBytes * 1.2);
  expect(after!.countersBytes).toBeLessThan(before!.countersBytes * 1.3 + 61 * DAY_BYTES);
});
