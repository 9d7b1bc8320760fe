// SPDX-License-Identifier: Apache-2.0
/**
 * Writes its share of a few hot cells to the Bigtable of a configuration (JSON), four batches at a time; `zombie`: the
 * oldest states, one batch after the other. Prints `writing` after the first batch and ends when all are written.
 */
import type { BigtableConfig } from "../../../../io/bigtable/config";
import { BigtableCounterStore } from "../../../../io/bigtable/counter-store";
import { batchesOf, zombieBatches } from "../../bigtable/shared-rows";
import { asMinuteCounts } from "../counter-model";

async function main(): Promise<void> {
  const [config, seed, writer, writers] = process.argv.slice(2);
  const zombie = writer === "zombie";
  const batches = zombie ? zombieBatches(Number(seed)) : batchesOf(Number(seed), Number(writer), Number(writers));
  const store = new BigtableCounterStore(JSON.parse(config!) as BigtableConfig);
  let next = 0;
  const lane = async () => {
    while (next < batches.length) {
      await store.apply(asMinuteCounts(batches[next++]!));
      process.stdout.write("writing\n");
    }
  };
  await Promise.all(Array.from({ length: zombie ? 1 : 4 }, lane));
  await store.close();
}
void main();
