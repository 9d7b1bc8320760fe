// SPDX-License-Identifier: Apache-2.0
import { BigtableCounterStore } from "../../../io/bigtable/counter-store";
import { describeWithServers } from "../../servers/with-servers";
import { auditReadsContract } from "../ports/audit-reads-contract";
import { counterStoreContract } from "../ports/counter-store-contract";
import { withBigtable } from "./bigtable-server";

describeWithServers("Bigtable counters", ["bigtable"], () => {
  const bigtable = withBigtable();

  auditReadsContract("BigtableCounterStore", {
    open: async () => new BigtableCounterStore(await bigtable.tables()),
  });
  counterStoreContract("BigtableCounterStore", {
    open: async () => new BigtableCounterStore(await bigtable.tables()),
    numRuns: 20,
  });
  counterStoreContract("BigtableCounterStore that remembers nothing", {
    open: async () => new BigtableCounterStore({ ...(await bigtable.tables()), knownCells: 0 }),
    numRuns: 20,
  });
});
