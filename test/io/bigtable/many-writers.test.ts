// SPDX-License-Identifier: Apache-2.0
import type { BigtableConfig } from "../../../io/bigtable/config";
import { BigtableCounterStore } from "../../../io/bigtable/counter-store";
import { describeWithServers } from "../../servers/with-servers";
import { Child } from "../ports/condition";
import { asMinuteCounts, CounterModel, modelLevels, storedLevels } from "../ports/counter-model";
import { withBigtable } from "./bigtable-server";
import { rankRule } from "./rank-rule";
import { batchesOf } from "./shared-rows";

const WRITERS = 8;

function modelOf(seed: number, writers: number): CounterModel {
  const model = new CounterModel();
  for (let writer = 0; writer < writers; writer++) {
    for (const batch of batchesOf(seed, writer, writers)) model.apply(batch);
  }
  return model;
}

describeWithServers("many writers of the same Bigtable rows", ["bigtable"], () => {
  const bigtable = withBigtable();

  it("leave every level exact: eight processes, repeats, any order, and a zombie that wakes up at the end", {
    timeout: 300_000,
  }, async () => {
    const seed = Number(process.env.VIEWMILL_TEST_SEED ?? Date.now() % 1_000_000);
    const config = await bigtable.tables();
    const start = (writer: string, config: BigtableConfig) =>
      new Child("write-shared-rows", JSON.stringify(config), String(seed), writer, String(WRITERS));
    // The zombie must not give up because it slept.
    const zombie = start("zombie", { ...config, totalTimeoutMs: 600_000 });
    await zombie.until((lines) => lines.length >= 3);
    zombie.pause();
    const writers = Array.from({ length: WRITERS }, (_, writer) => start(String(writer), config));
    expect(await Promise.all(writers.map((writer) => writer.ended)), `seed ${seed}`).toEqual(Array(WRITERS).fill(0));

    const model = modelOf(seed, WRITERS);
    const store = new BigtableCounterStore(config);
    expect(await storedLevels(store), `seed ${seed}`).toEqual(modelLevels(model));
    zombie.goOn();
    expect(await zombie.ended).toBe(0);
    expect(await storedLevels(store), `seed ${seed}, after the zombie`).toEqual(modelLevels(model));
    const { missing, entries } = await rankRule(config);
    expect({ missing, isRanked: entries.length > 0 }, `seed ${seed}`).toEqual({ missing: [], isRanked: true });
    await store.close();
  });

  it("agree again when those that were killed at any moment are repeated", { timeout: 300_000 }, async () => {
    const seed = Number(process.env.VIEWMILL_TEST_SEED ?? Date.now() % 1_000_000);
    const config = await bigtable.tables();
    const children = Array.from(
      { length: 4 },
      (_, writer) => new Child("write-shared-rows", JSON.stringify(config), String(seed), String(writer), "4"),
    );
    for (const [writer, child] of children.entries()) {
      await child.until((lines) => lines.length > 2 + ((seed + writer * 5) % 11));
      await child.kill();
    }
    // At no moment a cell is ahead of its entry in the ranking index, not even where a writer was killed.
    expect((await rankRule(config)).missing, `seed ${seed}`).toEqual([]);
    const store = new BigtableCounterStore(config);
    for (let writer = 0; writer < 4; writer++) {
      for (const batch of batchesOf(seed, writer, 4)) await store.apply(asMinuteCounts(batch));
    }
    const model = modelOf(seed, 4);
    expect(await storedLevels(store), `seed ${seed}`).toEqual(modelLevels(model));
    expect((await rankRule(config)).missing, `seed ${seed}`).toEqual([]);
    await store.close();
  });
});
