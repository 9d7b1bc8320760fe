// SPDX-License-Identifier: Apache-2.0
import { SqliteAlertStore } from "../../../io/sqlite/alert-store";
import { alertStoreContract } from "./alert-store-contract";
import { removeFolders, temporaryFolder } from "./condition";

let folder = "";
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(removeFolders);

alertStoreContract("SqliteAlertStore", { open: async () => new SqliteAlertStore({ folder }) });
