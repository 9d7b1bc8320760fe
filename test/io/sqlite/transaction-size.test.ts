// SPDX-License-Identifier: Apache-2.0
/**
 * Other writers of counters.sqlite wait for one transaction at most, and it is small: however much is applied at once.
 */
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { SqliteCounterStore } from "../../../io/sqlite/counter-store";
import { TransactionSize } from "../../../io/sqlite/transaction-size";
import { T0 } from "../../domain/model";
import { removeFolders, temporaryFolder } from "../ports/condition";

afterEach(removeFolders);

test("the next transaction takes fewer cells where the last took long, and more where it took little", () => {
  const size = new TransactionSize();
  expect(size.cells).toBe(2_048);
  for (let n = 0; n < 5; n++) size.took(size.cells, 20);
  expect(size.cells).toBe(16_384);
  size.took(size.cells, 300);
  expect(size.cells).toBe(8_192);
  // Quick, but with few cells; then few cells that took long.
  size.took(100, 1);
  expect(size.cells).toBe(8_192);
  size.took(100, 300);
  expect(size.cells).toBe(4_096);
  for (let n = 0; n < 9; n++) size.took(size.cells, 300);
  expect(size.cells).toBe(1_024);
  expect(new TransactionSize(3).cells).toBe(3);
});

test("however much a cell costs, transactions soon take nearly as long as they may, and no longer", () => {
  // At the cost of 60 us a cell, the least number of cells fits the bound.
  const costs = {
    fixedMs: fc.double({ min: 0, max: 30, noNaN: true }),
    us: fc.double({ min: 1, max: 60, noNaN: true }),
  };
  fc.assert(
    fc.property(fc.record(costs), ({ fixedMs, us }) => {
      const size = new TransactionSize();
      const tookMs = () => fixedMs + (size.cells * us) / 1_000;
      for (let n = 0; n < 20; n++) size.took(size.cells, tookMs());
      expect(tookMs()).toBeLessThan(100);
      if (size.cells < 16_384) expect(tookMs()).toBeGreaterThan(70);
    }),
  );
});

test("more cells than a transaction takes are several transactions, none of more than 16,384", async () => {
  const exec = vi.spyOn(DatabaseSync.prototype, "exec");
  const store = new SqliteCounterStore({ folder: temporaryFolder() });
  try {
    const n = 40_000;
    const ones = () => new Float64Array(n).fill(1);
    exec.mockClear();
    await store.apply([
      {
        minute: Math.floor(T0 / 60_000),
        videos: Array.from({ length: n }, (_, row) => `v${row}`),
        types: ["VIEW"],
        videoIndex: Uint32Array.from({ length: n }, (_, row) => row),
        typeIndex: new Uint32Array(n),
        counts: ones(),
        valued: new Float64Array(n),
        sumHigh: new Float64Array(n),
        sumLow: new Float64Array(n),
        lastMsInMinute: new Uint16Array(n),
      },
    ]);
    const commits = exec.mock.calls.filter(([sql]) => sql === "COMMIT").length;
    // The first is of 2,048 cells; what the next are depends on what they take.
    expect(commits).toBeGreaterThanOrEqual(1 + Math.ceil((n - 2_048) / 16_384));
    expect(commits).toBeLessThanOrEqual(1 + Math.ceil((n - 2_048) / 1_024));
  } finally {
    await store.close();
    exec.mockRestore();
  }
});
