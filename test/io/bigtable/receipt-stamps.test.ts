// SPDX-License-Identifier: Apache-2.0
import type { BigtableConfig } from "../../../io/bigtable/config";
import { BigtableReceiptStamps } from "../../../io/bigtable/receipt-stamps";
import { StoreUnavailableError } from "../../../io/ports";
import { startFaultProxy } from "../../../servers";
import { describeWithServers } from "../../servers/with-servers";
import { receiptStampsContract } from "../ports/receipt-stamps-contract";
import { withBigtable } from "./bigtable-server";

describeWithServers("receipt stamps on Bigtable", ["bigtable"], () => {
  const bigtable = withBigtable();
  let config: BigtableConfig;
  beforeEach(async () => {
    config = await bigtable.tables();
  });

  receiptStampsContract("BigtableReceiptStamps", {
    open: async () => new BigtableReceiptStamps(config),
    numRuns: 10,
    manyStamps: 500,
  });

  it("an answer that is lost is asked for again and is the same stamp; a store that is away is refused", async () => {
    const proxy = await startFaultProxy(bigtable.emulator.host);
    const times = { attemptTimeoutMs: 300, totalTimeoutMs: 2_000 };
    const stamps = new BigtableReceiptStamps({ ...config, ...times, emulatorHost: proxy.address });
    const [direct, nowMs] = [new BigtableReceiptStamps(config), Date.now()];
    try {
      await stamps.hold([{ key: "warm", stampedAtMs: nowMs }]);
      proxy.swallowAnswers(true);
      const asked = stamps.hold([{ key: "a", stampedAtMs: nowMs }]);
      // Whichever of the two was first, another attempt changes nothing.
      const [held] = await direct.hold([{ key: "a", stampedAtMs: nowMs + 5 }]);
      proxy.pass();
      expect(await asked).toEqual([held]);
      proxy.cut();
      await expect(stamps.hold([{ key: "b", stampedAtMs: nowMs }])).rejects.toThrow(StoreUnavailableError);
    } finally {
      proxy.pass();
      await Promise.all([stamps.close(), direct.close()]);
      await proxy.stop();
    }
  }, 30_000);
});
