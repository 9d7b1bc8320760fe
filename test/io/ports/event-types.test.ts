// SPDX-License-Identifier: Apache-2.0
import { SqliteEventTypes } from "../../../io/sqlite/event-types";
import { removeFolders, temporaryFolder } from "./condition";
import { eventTypesContract } from "./event-types-contract";

let folder = "";
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(removeFolders);

eventTypesContract("SqliteEventTypes", { open: async () => new SqliteEventTypes({ folder }) });
