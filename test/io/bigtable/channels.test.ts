// SPDX-License-Identifier: Apache-2.0
import { BigtableCounterStore } from "../../../io/bigtable/counter-store";
import { channelsContract } from "../../query-api/channels-contract";
import { QueryHarness } from "../../query-api/query-harness";
import { describeWithServers } from "../../servers/with-servers";
import { withBigtable } from "./bigtable-server";

describeWithServers("channels on Bigtable", ["bigtable"], () => {
  const bigtable = withBigtable();

  channelsContract("Bigtable", {
    start: async () => {
      const store = new BigtableCounterStore(await bigtable.tables());
      const harness = await QueryHarness.start(() => ({ counters: store }));
      await harness.counters.close();
      harness.counters = store;
      return harness;
    },
    numRuns: 5,
  });
});
