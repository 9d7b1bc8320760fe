// SPDX-License-Identifier: Apache-2.0
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { removeFolders, temporaryFolder } from "./condition";
import { embeddedLedgerContract } from "./embedded-ledger-contract";

let folder = "";
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(removeFolders);

embeddedLedgerContract("SqliteLedger", { open: async () => new SqliteLedger({ folder }) });
