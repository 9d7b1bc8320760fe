// SPDX-License-Identifier: Apache-2.0
import { DirectoryRollUps } from "../../../io/directory/roll-up-folder";
import { removeFolders, temporaryFolder } from "./condition";
import { rollUpFolderContract } from "./roll-up-folder-contract";

afterEach(removeFolders);

rollUpFolderContract("DirectoryRollUps", {
  open: async () => new DirectoryRollUps({ folder: temporaryFolder() }),
});
