// SPDX-License-Identifier: Apache-2.0

import { HOUR_MS } from "../../../domain/rules/time";
import { BigtableConnection } from "../../../io/bigtable/connection";
import { deleteColumn, setCell } from "../../../io/bigtable/requests";
import { columnRange } from "../../../io/bigtable/row-filters";
import { HOUR_FAMILY, summaryRowKey } from "../../../io/bigtable/row-keys";
import { mutateRows, readRows } from "../../../io/bigtable/rows";
import type { GcsEmulator } from "../../../servers";
import { killAfter, ROLLING, SEED } from "../../pipelines/kill-of-tiering";
import { tierContract } from "../../pipelines/tier-contract";
import { allCells, eventOf, OLD } from "../../pipelines/tier-events";
import { TierHarness } from "../../pipelines/tier-harness";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { BUCKET, freshPrefix, startGcsServer } from "../gcs/gcs-server";
import { withBigtable } from "./bigtable-server";
import { type ClusterPlace, clusterGround } from "./cluster-ground";

describeWithServers("tiers of a cluster", ["bigtable", "gcs"], () => {
  const bigtable = withBigtable();
  let gcs: GcsEmulator;
  beforeAll(async () => {
    gcs = await startGcsServer();
  }, COLD_START_MS);
  afterAll(() => gcs?.stop());

  const newPlace = async (): Promise<ClusterPlace> => ({
    bigtable: await bigtable.tables(),
    gcs: { bucket: BUCKET, prefix: freshPrefix(), endpoint: gcs.endpoint },
  });
  let place: ClusterPlace;

  tierContract("Bigtable and Cloud Storage", {
    open: async () => {
      place = await newPlace();
      return TierHarness.open(undefined, clusterGround(place));
    },
    runs: 1,
    takeHourAway: async () => {
      const connection = new BigtableConnection(place.bigtable);
      const table = connection.tables.summaries;
      const key = summaryRowKey("a");
      const hour = "2026102000:VIEW";
      const query = { tableName: table, keys: [key], filter: columnRange(HOUR_FAMILY, hour, `${hour}~`) };
      const [row] = await readRows(connection, query);
      await mutateRows(connection, table, [
        { key, mutations: row!.cells.map(({ qualifier }) => deleteColumn(HOUR_FAMILY, qualifier)) },
      ]);
      return async () => {
        const mutations = row!.cells.map(({ qualifier, version, value }) =>
          setCell(HOUR_FAMILY, qualifier, version, value),
        );
        await mutateRows(connection, table, [{ key, mutations }]);
        await connection.close();
      };
    },
  });

  it.each(ROLLING)(`kill -9 of tiering after %s loses nothing and doubles nothing (seed ${SEED})`, async (step) => {
    const own = await newPlace();
    const harness = await TierHarness.open(undefined, clusterGround(own));
    try {
      await killAfter(step, harness, own);
    } finally {
      await harness.close();
    }
  });

  it("two processes that tier at once: one goes on, the other one stops, and no cell is lost or doubled", async () => {
    const own = await newPlace();
    const harness = await TierHarness.open(undefined, clusterGround(own));
    const other = await TierHarness.open(undefined, clusterGround(own));
    try {
      await harness.count([eventOf([0, 5, 0, 0, 3]), eventOf([0, 65, 1, 0, 4]), eventOf([1, 0, 0, 1, undefined])]);
      await harness.audit();
      const before = await allCells(harness);
      const ended = await Promise.allSettled([harness, other].map((one) => one.tier()));
      for (const one of ended) {
        if (one.status === "rejected")
          expect(String(one.reason)).toMatch(/another process is rolling up|cannot freeze|journal/);
      }
      await harness.reopen();
      await harness.tier();
      expect(await allCells(harness)).toEqual(before);
      expect((await harness.audit()).outcome).toBe("equal");
    } finally {
      await other.close();
      await harness.close();
    }
  });

  it("a stream that writes a minute again after it was rolled up changes nothing", async () => {
    const own = await newPlace();
    const harness = await TierHarness.open(undefined, clusterGround(own));
    try {
      const events = [eventOf([0, 5, 0, 0, 3]), eventOf([0, 65, 0, 0, 4])];
      await harness.count(events);
      await harness.audit();
      await harness.tier();
      const before = await allCells(harness);
      await harness.countOnly(events);
      expect(await allCells(harness)).toEqual(before);
      for (const hour of [0, 1]) await harness.counters.rebuild("a", OLD + hour * HOUR_MS, OLD + (hour + 1) * HOUR_MS);
      expect(await allCells(harness)).toEqual(before);
      expect((await harness.audit()).outcome).toBe("equal");
    } finally {
      await harness.close();
    }
  });
});
