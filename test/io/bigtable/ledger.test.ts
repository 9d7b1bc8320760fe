// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BigtableConfig } from "../../../io/bigtable/config";
import { BigtableConnection } from "../../../io/bigtable/connection";
import { BigtableLedger } from "../../../io/bigtable/ledger";
import { SEQUENCE_FAMILY } from "../../../io/bigtable/ledger-keys";
import { setCell } from "../../../io/bigtable/requests";
import { mutateRows } from "../../../io/bigtable/rows";
import { describeWithServers } from "../../servers/with-servers";
import { bookRetentionContract } from "../ports/book-retention-contract";
import { keepsWhatAnEarlierReleaseWrote } from "../ports/earlier-ledger";
import { ledgerContract } from "../ports/ledger-contract";
import { withBigtable } from "./bigtable-server";

describeWithServers("the ledger on Bigtable", ["bigtable"], () => {
  const bigtable = withBigtable();
  let config: BigtableConfig;
  beforeEach(async () => {
    config = await bigtable.tables();
  });

  ledgerContract("BigtableLedger", { open: async () => new BigtableLedger(config) });
  bookRetentionContract("BigtableLedger", { open: async () => new BigtableLedger(config) });

  it("keeps books, marks and reports that the code at 52a043a wrote", async () => {
    await restore(config, "ledger-52a043a.json");
    const ledger = new BigtableLedger(config);
    await keepsWhatAnEarlierReleaseWrote(ledger);
    await ledger.close();
  });
});

type StoredRow = { key: string; cells: [family: string, qualifier: string, version: number, value: string][] };

async function restore(config: BigtableConfig, fixture: string): Promise<void> {
  const file = join(__dirname, "..", "..", "..", "..", "test", "io", "bigtable", "fixtures", fixture);
  const connection = new BigtableConnection(config);
  const rows = (JSON.parse(readFileSync(file, "utf8")) as StoredRow[]).map(({ key, cells }) => ({
    key,
    mutations: cells.map(([family, qualifier, version, text]) => {
      const value = Buffer.from(text, "base64");
      return family === SEQUENCE_FAMILY
        ? sumOf(family, qualifier, Number(value.readBigInt64BE()))
        : setCell(family, qualifier, version, value);
    }),
  }));
  await mutateRows(connection, connection.tables.ledger, rows);
  await connection.close();
}

/** A cell of an aggregate family cannot be set. */
const sumOf = (familyName: string, qualifier: string, intValue: number) => ({
  addToCell: {
    familyName,
    columnQualifier: { rawValue: Buffer.from(qualifier, "latin1") },
    timestamp: { rawTimestampMicros: 0 },
    input: { intValue },
  },
});
