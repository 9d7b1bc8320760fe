// SPDX-License-Identifier: Apache-2.0
import { encodeCell } from "../../../io/bigtable/codec";
import type { BigtableConfig } from "../../../io/bigtable/config";
import { BigtableConnection } from "../../../io/bigtable/connection";
import { BigtableCounterStore } from "../../../io/bigtable/counter-store";
import { deleteColumn, type Mutation, setCell } from "../../../io/bigtable/requests";
import { minuteRowKey, summaryRowKey } from "../../../io/bigtable/row-keys";
import { mutateRows } from "../../../io/bigtable/rows";
import { describeWithServers } from "../../servers/with-servers";
import { asMinuteCounts, CounterModel, modelLevels, storedLevels } from "../ports/counter-model";
import { cell } from "../ports/counter-store-contract";
import { withBigtable } from "./bigtable-server";

const CELLS = [
  cell(61, "a", 3, { sum: 30n, last: 4 }),
  cell(62, "a", 4, { type: "LIKE" }),
  cell(63, "a", 1),
  cell(5000, "a", 5, { sum: -1n }),
];
const WRONG = encodeCell({ count: 77, sum: -5n, lastMs: 9 });
const HOUR = "1970010101:VIEW";
const DAY = "19700101:VIEW";
const MONTH = "197001:VIEW";
const AHEAD = 2 ** 50;
/** Nobody reads months. */
const HIDDEN = "a month ahead of its days";

const summary = (...mutations: Mutation[]) => ({ minutes: [], summaries: mutations });
const DAMAGES: Record<string, { minutes: Mutation[]; summaries: Mutation[] }> = {
  "a minute with another value": { minutes: [setCell("m", "VIEW:01", 3, WRONG)], summaries: [] },
  "a minute that is none": { minutes: [setCell("m", "VIEW:01", 3, Buffer.from("?"))], summaries: [] },
  "a minute that is gone": { minutes: [deleteColumn("m", "VIEW:01")], summaries: [] },
  "an hour with another value": summary(setCell("h", HOUR, 4, WRONG)),
  "an hour ahead of its minutes": summary(setCell("h", HOUR, AHEAD, WRONG)),
  "an hour that is gone": summary(deleteColumn("h", HOUR)),
  "a day ahead of its hours": summary(setCell("d", DAY, AHEAD, WRONG)),
  [HIDDEN]: summary(setCell("mo", MONTH, AHEAD, WRONG)),
  "a total that is none": summary(setCell("t", "VIEW", AHEAD, Buffer.from("?"))),
  "every level": summary(
    setCell("h", HOUR, AHEAD, WRONG),
    deleteColumn("d", DAY),
    setCell("mo", MONTH, 1, WRONG),
    setCell("t", "VIEW", AHEAD, WRONG),
  ),
};

async function damage(config: BigtableConfig, { minutes, summaries }: (typeof DAMAGES)[string]): Promise<void> {
  const connection = new BigtableConnection(config);
  if (minutes.length > 0) {
    await mutateRows(connection, connection.tables.minutes, [{ key: minuteRowKey("a", 1), mutations: minutes }]);
  }
  if (summaries.length > 0) {
    await mutateRows(connection, connection.tables.summaries, [{ key: summaryRowKey("a"), mutations: summaries }]);
  }
  await connection.close();
}

describeWithServers("Bigtable counters that somebody has damaged", ["bigtable"], () => {
  const bigtable = withBigtable();
  /** Counts the cells in a store and in the model, and damages the store. */
  const damaged = async (mutations: (typeof DAMAGES)[string]) => {
    const config = await bigtable.tables();
    const [store, model] = [new BigtableCounterStore(config), new CounterModel()];
    model.apply(CELLS);
    await store.apply(asMinuteCounts(CELLS));
    await damage(config, mutations);
    return { store, model };
  };

  for (const [what, mutations] of Object.entries(DAMAGES)) {
    it(`are right again after correct(): ${what}`, async () => {
      const { store, model } = await damaged(mutations);
      if (what !== HIDDEN) expect(await storedLevels(store)).not.toEqual(modelLevels(model));
      await store.correct(asMinuteCounts(CELLS));
      model.correct(CELLS);
      expect(await storedLevels(store)).toEqual(modelLevels(model));
      // The writer's knowledge of the rows is right, too.
      const more = [cell(61, "a", 9, { sum: 40n, last: 5 }), cell(64, "a", 1)];
      model.apply(more, true);
      await store.apply(asMinuteCounts(more), { followCorrections: true });
      expect(await storedLevels(store)).toEqual(modelLevels(model));
      await store.close();
    });

    if (mutations.minutes.length > 0) continue;
    it(`are right again after rebuild(): ${what}`, async () => {
      const { store, model } = await damaged(mutations);
      await store.rebuild("a", 0, 86_400_000);
      expect(await storedLevels(store)).toEqual(modelLevels(model));
      await store.close();
    });
  }

  it("lose hours and days that no minute stands for when all of time is rebuilt", async () => {
    const { store, model } = await damaged(
      summary(
        setCell("h", "2031010203:VIEW", 5, WRONG),
        setCell("d", "20310102:VIEW", 5, WRONG),
        setCell("d", "20310105:SHARE", 5, WRONG),
        setCell("mo", "203101:VIEW", 5, WRONG),
      ),
    );
    await store.rebuild("a", -1e15, 1e15);
    await store.rebuild("unknown", 0, 1e15);
    expect(await storedLevels(store)).toEqual(modelLevels(model));
    await store.close();
  });
});
