// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreUnavailableError } from "../../../io/ports";
import { SqliteReceiptStamps, STAMPS_FILE } from "../../../io/sqlite/receipt-stamps";
import { removeFolders, temporaryFolder } from "./condition";
import { receiptStampsContract } from "./receipt-stamps-contract";

let folder = "";
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(removeFolders);

receiptStampsContract("SqliteReceiptStamps", {
  open: async () => new SqliteReceiptStamps({ folder }),
  numRuns: 30,
  manyStamps: 10_000,
});

it("a file that another process holds is a store that is away, and forgotten stamps leave it", async () => {
  const stamps = new SqliteReceiptStamps({ folder, busyTimeoutMs: 50 });
  await stamps.hold([{ key: "old", stampedAtMs: 1_000 }]);
  const other = new DatabaseSync(join(folder, STAMPS_FILE));
  other.exec("BEGIN IMMEDIATE");
  await expect(stamps.hold([{ key: "a", stampedAtMs: 2_000 }])).rejects.toThrow(StoreUnavailableError);
  other.exec("ROLLBACK");
  await stamps.hold([{ key: "new", stampedAtMs: 3_600_000 }]);
  expect(other.prepare("SELECT key FROM stamps").all()).toEqual([{ key: "new" }]);
  other.close();
  await stamps.close();
});
