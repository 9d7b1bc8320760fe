// SPDX-License-Identifier: Apache-2.0
/** Failed archive writes: no write of an attempt may land after its caller has got the failure. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minuteOf } from "../../domain/event";
import type { Archive, LogEntry, LogMessage } from "../../io/ports";
import { archivePortion } from "../../pipelines/archiver/archive-portion";
import { archiveFile } from "../../pipelines/backfill/archive-file";
import { decodeEntries, writeObjects } from "../../pipelines/embedded/archive-entries";
import { T0 } from "../domain/model";
import { openStores, type Stores } from "../system/golden/embedded-runner";
import { event, message } from "../transforms/elements";

const MINUTES = 40;
const M0 = minuteOf(T0);
const FAILING_MINUTE = M0 + 3;

let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-failed-writes-"));
  stores = await openStores(folder);
});
afterEach(async () => {
  await stores.close();
  rmSync(folder, { recursive: true, force: true });
});

const events = () => Array.from({ length: MINUTES }, (_, n) => event(`e${n}`, { eventTimeMs: T0 + n * 60_000 + 1 }));
const turns = async (count: number) => {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve));
};

/** The real archive; the write of one minute fails at once, every other one takes a while. */
function failingArchive(): { archive: Archive; begun(): number; running(): number } {
  const seen = { begun: 0, running: 0 };
  const archive = Object.assign(Object.create(stores.archive) as Archive, {
    write: async (...args: Parameters<Archive["write"]>) => {
      seen.begun++;
      if (args[0] === FAILING_MINUTE) throw new Error("disk");
      seen.running++;
      try {
        await turns(20);
        return await stores.archive.write(...args);
      } finally {
        seen.running--;
      }
    },
  });
  return { archive, begun: () => seen.begun, running: () => seen.running };
}

const logMessage = (): LogMessage => ({
  id: "m",
  payload: message(events()).payload,
  acceptedByMinute: undefined,
  appendedAtMs: T0 + MINUTES * 60_000,
});
const portion = () => ({
  name: "p",
  exact: true,
  messages: [logMessage()],
  done: async () => undefined,
  abandon: async () => undefined,
});
const entry = (): LogEntry => ({
  position: 1,
  payload: message(events()).payload,
  events: MINUTES,
  appendedAtMs: T0 + MINUTES * 60_000,
});
function file(): string {
  const path = join(folder, "events.ndjson");
  const lines = events().map((each) =>
    JSON.stringify({ eventId: each.eventId, videoId: "v", eventType: "VIEW", eventTime: each.eventTimeMs }),
  );
  writeFileSync(path, lines.join("\n"));
  return path;
}

it.each<[string, (archive: Archive) => Promise<unknown>]>([
  [
    "a portion of a shared log",
    (archive) =>
      archivePortion(portion(), { archive, ledger: stores.ledger, payloadOf: async ({ payload }) => payload }),
  ],
  [
    "entries of the embedded log",
    (archive) => {
      const range = decodeEntries([entry()], "w");
      return writeObjects(archive, range, [...range.objects.keys()]);
    },
  ],
  [
    "a file that is backfilled",
    (archive) =>
      archiveFile(
        file(),
        { archive, ledger: stores.ledger, deadLetters: stores.deadLetters, clock: () => T0 },
        () => undefined,
      ),
  ],
])("%s: a failed write ends the others before the failure is told", async (_what, archiveAll) => {
  const { archive, begun, running } = failingArchive();
  await expect(archiveAll(archive)).rejects.toThrow("disk");
  const whenTold = { begun: begun(), running: running() };
  await turns(200);
  expect({ begun: begun(), running: running() }).toEqual(whenTold);
  expect(whenTold.running).toBe(0);
  expect(whenTold.begun).toBeLessThan(MINUTES);
});
