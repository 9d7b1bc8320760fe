// SPDX-License-Identifier: Apache-2.0
/**
 * Other writers of counters.sqlite wait for one transaction at most, and it is small: however much is applied at once.
 */
import { DatabaseSync } from "node:sqlite";
import { SqliteCounterStore } from "../../../io/sqlite/counter-store";
import { removeFolders, temporaryFolder } from "../../contracts/condition";
import { T0 } from "../../domain/model";

afterEach(removeFolders);

test("more cells than a transaction takes are several transactions, each of at most 16,384", async () => {
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
    expect(exec.mock.calls.filter(([sql]) => sql === "COMMIT")).toHaveLength(3);
  } finally {
    await store.close();
    exec.mockRestore();
  }
});
