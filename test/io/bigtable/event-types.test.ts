// SPDX-License-Identifier: Apache-2.0
import type { BigtableConfig } from "../../../io/bigtable/config";
import { BigtableEventTypes } from "../../../io/bigtable/event-types";
import { describeWithServers } from "../../servers/with-servers";
import { eventTypesContract } from "../ports/event-types-contract";
import { withBigtable } from "./bigtable-server";

describeWithServers("event types on Bigtable", ["bigtable"], () => {
  const bigtable = withBigtable();
  let config: BigtableConfig;
  beforeEach(async () => {
    config = await bigtable.tables();
  });

  eventTypesContract("BigtableEventTypes", { open: async () => new BigtableEventTypes(config) });
});
