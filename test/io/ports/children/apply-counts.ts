// SPDX-License-Identifier: Apache-2.0
/**
 * Applies generated minutes to the store of a folder, prints `applied <n>` after each, and ends after `batches`
 * (or is killed before). The same arguments give the same minutes.
 */
import { SqliteCounterStore } from "../../../../io/sqlite/counter-store";
import { generatedBatch } from "../counter-model";

async function main(): Promise<void> {
  const [folder, seed, batches] = process.argv.slice(2);
  // Small transactions: many points to be killed at.
  const store = new SqliteCounterStore({ folder: folder!, maxCellsPerTransaction: 50 });
  for (let n = 0; n < Number(batches); n++) {
    await store.apply(generatedBatch(Number(seed), n));
    process.stdout.write(`applied ${n}\n`);
  }
  await store.close();
}
void main();
