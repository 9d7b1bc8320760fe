// SPDX-License-Identifier: Apache-2.0
import { SqliteAccessKeys } from "../../../io/sqlite/access-keys";
import { accessKeysContract } from "./access-keys-contract";
import { removeFolders, temporaryFolder } from "./condition";

let folder = "";
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(removeFolders);

accessKeysContract("SqliteAccessKeys", { open: async () => new SqliteAccessKeys({ folder }) });
