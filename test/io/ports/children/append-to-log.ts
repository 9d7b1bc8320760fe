// SPDX-License-Identifier: Apache-2.0
/** Appends to the log of a folder from several callers at once and prints every acknowledged entry, until killed. */
import { SqliteEventLog } from "../../../../io/sqlite/event-log";

async function main(): Promise<void> {
  const log = await SqliteEventLog.open({ folder: process.argv[2]! });
  const append = async (caller: number) => {
    for (let n = 0; ; n++) {
      const payload = Buffer.from(`caller ${caller} batch ${n} `.padEnd(4000, "x"));
      const { position } = await log.append({ payload, events: 2, acceptedByMinute: new Map([[caller, 2]]) });
      process.stdout.write(`${position} ${caller} ${n}\n`);
    }
  };
  await Promise.all([1, 2, 3, 4].map(append));
}
void main();
