// SPDX-License-Identifier: Apache-2.0
/** Spills batches of a log that is away, tells each that is acknowledged, and waits to be killed. */
import { SpillLog } from "../../../io/cluster/spill-log";
import { StoreUnavailableError } from "../../../io/ports";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { spillBatch } from "./spill-batch";

async function main([folder = ""]: readonly string[]): Promise<void> {
  const away = {
    append: () => Promise.reject(new StoreUnavailableError("away")),
    ping: () => Promise.reject(new StoreUnavailableError("away")),
    close: async () => undefined,
  };
  const log = await SpillLog.open({ log: away, queue: await SqliteEventLog.open({ folder }) });
  for (let n = 0; ; n++) {
    await log.append(spillBatch(n));
    process.stdout.write(`${n}\n`);
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(String(error));
  process.exit(1);
});
