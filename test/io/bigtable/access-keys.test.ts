// SPDX-License-Identifier: Apache-2.0
import { BigtableAccessKeys } from "../../../io/bigtable/access-keys";
import type { BigtableConfig } from "../../../io/bigtable/config";
import { describeWithServers } from "../../servers/with-servers";
import { accessKeysContract } from "../ports/access-keys-contract";
import { withBigtable } from "./bigtable-server";

describeWithServers("access keys on Bigtable", ["bigtable"], () => {
  const bigtable = withBigtable();
  let config: BigtableConfig;
  beforeEach(async () => {
    config = await bigtable.tables();
  });

  accessKeysContract("BigtableAccessKeys", { open: async () => new BigtableAccessKeys(config) });
});
