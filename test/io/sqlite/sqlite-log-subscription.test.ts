// SPDX-License-Identifier: Apache-2.0
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { SqliteLogReader } from "../../../io/sqlite/log-reader";
import { removeFolders, temporaryFolder } from "../ports/condition";
import { SqliteLogSubscription } from "../ports/embedded-subscription";
import { readingPositionOf } from "../ports/reading-position";
import { sharedLogContract } from "../ports/shared-log-contract";

sharedLogContract("SqliteLogSubscription", {
  exact: true,
  shared: false,
  declares: false,
  takeOverMs: 5_000,
  open: async () => {
    const folder = temporaryFolder();
    const opened: { close(): Promise<void> }[] = [];
    return {
      writer: () => SqliteEventLog.open({ folder }),
      reader: async () => {
        const log = new SqliteLogReader({ folder });
        const ledger = new SqliteLedger({ folder });
        opened.push(log, ledger);
        return new SqliteLogSubscription(log, readingPositionOf(ledger));
      },
      readerArguments: ["sqlite", folder],
      close: async () => {
        await Promise.all(opened.map((each) => each.close()));
        removeFolders();
      },
    };
  },
});
