// SPDX-License-Identifier: Apache-2.0
/** Takes a lock of a data folder, says so, and holds it until killed. */
import { waitForLock } from "../../../../io/sqlite/data-folder";

void waitForLock(process.argv[2]!, process.argv[3]!, { deadlineMs: 0 }).then(() => process.stdout.write("locked\n"));
setInterval(() => undefined, 60_000);
