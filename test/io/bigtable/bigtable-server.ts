// SPDX-License-Identifier: Apache-2.0
/** The emulator of a suite, and tables of one's own in it for every store. */
import { randomUUID } from "node:crypto";
import type { BigtableConfig } from "../../../io/bigtable/config";
import { createTables } from "../../../io/bigtable/tables";
import { type BigtableEmulator, startBigtableEmulator } from "../../../servers/bigtable-emulator";
import { COLD_START_MS } from "../../servers/with-servers";

interface BigtableUnderTest {
  readonly emulator: BigtableEmulator;
  /** New, empty tables; `host`: a proxy's, instead of the emulator's. */
  tables(host?: string): Promise<BigtableConfig>;
}

/** Within a suite: starts the emulator before it and stops it after. */
export function withBigtable(): BigtableUnderTest {
  let emulator: BigtableEmulator | undefined;
  const running = (): BigtableEmulator => {
    if (emulator === undefined) throw new Error("the emulator has not been started");
    return emulator;
  };
  beforeAll(async () => {
    emulator = await startBigtableEmulator();
  }, COLD_START_MS);
  afterAll(() => emulator?.stop());
  return {
    get emulator() {
      return running();
    },
    tables: async (host = running().host) => {
      const named = { projectId: "test", instanceId: "test", tablePrefix: `t-${randomUUID().slice(0, 8)}` };
      await createTables({ ...named, emulatorHost: running().host });
      return { ...named, emulatorHost: host };
    },
  };
}
