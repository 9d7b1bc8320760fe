import type { BigtableConfig } from "../../io/bigtable/config";
import { BigtableLedger } from "../../io/bigtable/ledger";
import { ledgerContract } from "../contracts/ledger-contract";
import { describeWithServers } from "../servers/with-servers";
import { withBigtable } from "./bigtable-server";

describeWithServers("the ledger on Bigtable", ["bigtable"], () => {
  const bigtable = withBigtable();
  let config: BigtableConfig;
  beforeEach(async () => {
    config = await bigtable.tables();
  });

  ledgerContract("BigtableLedger", { open: async () => new BigtableLedger(config) });
});
