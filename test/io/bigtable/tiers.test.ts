// SPDX-License-Identifier: Apache-2.0
import { BigtableConnection } from "../../io/bigtable/connection";
import { deleteColumn, setCell } from "../../io/bigtable/requests";
import { columnRange } from "../../io/bigtable/row-filters";
import { HOUR_FAMILY, summaryRowKey } from "../../io/bigtable/row-keys";
import { mutateRows, readRows } from "../../io/bigtable/rows";
import type { GcsEmulator } from "../../servers";
import { BUCKET, freshPrefix, startGcsServer } from "../gcs/gcs-server";
import { tierContract } from "../pipelines/tier-contract";
import { TierHarness } from "../pipelines/tier-harness";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
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
    runs: 3,
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
});
