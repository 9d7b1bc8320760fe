// SPDX-License-Identifier: Apache-2.0
import { rmSync } from "node:fs";
import { join } from "node:path";
import { DirectoryClaimStore } from "../../../io/directory/claims";
import { StoreUnavailableError } from "../../../io/ports";
import { claimName, claimStoreContract } from "./claim-store-contract";
import { removeFolders, temporaryFolder } from "./condition";

let folder = "";
beforeEach(() => {
  folder = join(temporaryFolder(), "claims");
});
afterEach(removeFolders);

claimStoreContract("DirectoryClaimStore", { open: async () => new DirectoryClaimStore({ folder }) });

it("a folder of claims that is gone is no answer about a claim", async () => {
  const claims = new DirectoryClaimStore({ folder });
  await claims.write(claimName(), Buffer.from("a"));
  rmSync(folder, { recursive: true });
  await expect(claims.read(claimName())).rejects.toThrow(StoreUnavailableError);
});
