// SPDX-License-Identifier: Apache-2.0
/** Takes a lock of a data folder, says so, and holds it until killed. */
import { lockDataFolder } from "../../../io/sqlite/data-folder";

lockDataFolder(process.argv[2]!, process.argv[3]!);
process.stdout.write("locked\n");
setInterval(() => undefined, 60_000);
