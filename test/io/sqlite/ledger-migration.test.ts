// SPDX-License-Identifier: Apache-2.0
/** A ledger that the code at 52a043a wrote, opened by this one. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { removeFolders, temporaryFolder } from "../ports/condition";
import { keepsWhatAnEarlierReleaseWrote } from "../ports/earlier-ledger";

const FIXTURE = join(__dirname, "..", "..", "..", "..", "test", "io", "sqlite", "fixtures", "ledger-52a043a.sqlite.gz");

let folder = "";
let ledger: SqliteLedger;
beforeEach(() => {
  folder = temporaryFolder();
  writeFileSync(join(folder, "counters.sqlite"), gunzipSync(readFileSync(FIXTURE)));
  ledger = new SqliteLedger({ folder });
});
afterEach(async () => {
  await ledger.close();
  removeFolders();
});

test("books, marks and reports of an earlier release stay what they were", () =>
  keepsWhatAnEarlierReleaseWrote(ledger));

test("the stream goes on where it was", async () => {
  expect(await ledger.checkpoint()).toBe(42);
  expect(await ledger.pending()).toEqual({ fromPosition: 43, toPosition: 44 });
});
