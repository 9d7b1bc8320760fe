// SPDX-License-Identifier: Apache-2.0
/**
 * A log that delivers messages again (Pub/Sub) and an archiver that is killed: before it has listed its objects, they
 * are leftovers; before it has acknowledged its messages, two listed objects hold them. The books balance all the same.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { isCounted } from "../../domain/rules/books";
import { shardPart } from "../../domain/rules/ledger-parts";
import { MINUTE_MS } from "../../domain/rules/time";
import type { AuditReport } from "../../io/ports";
import { runAudit } from "../../pipelines/audit/audit";
import { runBoundedStream } from "../../pipelines/bounded/bounded-stream";
import { columnsOf, T0 } from "../domain/model";
import { archiveObject } from "../io/formats/avro/events";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { openStores, type Stores } from "../system/golden/embedded-runner";
import { event } from "../transforms/elements";

const LATENESS_MS = 120_000;
const MINUTE = minuteOf(T0);
const RANGE = { fromMs: T0, toMs: T0 + MINUTE_MS };
const MESSAGES: Record<string, VideoEvent[]> = {
  m1: [event("a"), event("b")],
  m2: [event("c", { videoId: "w" })],
  m3: [event("d"), event("a")],
};

const shared = emptiedStores();
let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-redelivered-"));
  stores = await openStores(folder, await shared());
  await stores.ledger.bookAccepted({
    ...{ instance: "serve", sequence: 1, minutes: new Map([[MINUTE, 5]]), sinceMs: T0, throughMs: T0 },
    leaseUntilMs: 0,
  });
});
afterEach(async () => {
  await stores.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Archives messages as one portion of an archiver, which is killed before it lists the object where `isKilled`. */
async function portion(name: string, ids: readonly string[], isKilled = false): Promise<void> {
  const fileName = `${name}.avro`;
  const events = ids.flatMap((id) => MESSAGES[id]!);
  const content = archiveObject(fileName, columnsOf(events), T0);
  const written = await stores.archive.write(MINUTE, fileName, content);
  if (isKilled) return;
  const messages = ids.map((id) => ({ id, events: MESSAGES[id]!.length, accepted: MESSAGES[id]!.length }));
  const object = { ...written, minute: MINUTE, events: events.length, accepted: events.length, messages };
  await stores.ledger.addObjects([object], [MINUTE]);
}

const counting = { dedupePartitions: 2, videoShards: 2, allowedLatenessMs: LATENESS_MS, followCorrections: false };
const count = () => runBoundedStream(stores, { ...RANGE, counting });
const books = async () => (await stores.ledger.books(MINUTE, MINUTE + 1))[0]!;

function audit(repair = false): Promise<AuditReport> {
  const progress = {
    behind: async () => false,
    accepted: async () => new Map([[MINUTE, 5]]),
    archivedThroughMs: async (nowMs: number) => nowMs,
    completeThroughMs: async (nowMs: number) => nowMs,
  };
  const range = { ...RANGE, repair, allowedLatenessMs: LATENESS_MS, patienceMs: 0 };
  return runAudit({ ...stores, progress, clock: Date.now }, range);
}

test("a bounded run counts each message once, and the books balance right after it", async () => {
  await portion("w-1", ["m1"], true);
  await portion("w-2", ["m1", "m2"]);
  await portion("w-3", ["m2", "m3"]);
  await portion("w-4", ["m3"]);
  await count();
  expect(await books()).toMatchObject({ accepted: 5, archived: 5, counted: 4, duplicate: 1, late: 0 });
  expect(isCounted(await books())).toBe(true);
  expect(await audit()).toMatchObject({ outcome: "equal", distinctEvents: 4 });
});

test("an object that its archiver has not listed is counted when it is listed", async () => {
  await portion("w-1", ["m1", "m2", "m3"], true);
  await count();
  expect(await stores.ledger.books(MINUTE, MINUTE + 1)).toMatchObject([{ accepted: 5, archived: 0, counted: 0 }]);
  await portion("w-1", ["m1", "m2", "m3"]);
  await count();
  expect(isCounted(await books())).toBe(true);
});

test("a leftover does not hide that a message is lost", async () => {
  await portion("w-1", ["m1"], true);
  await portion("w-2", ["m1", "m2"]);
  await count();
  expect(await audit()).toMatchObject({
    outcome: "not-comparable",
    losses: [{ minute: MINUTE, events: 2 }],
    notComparable: [{ reason: "5 events accepted, 3 in the archive" }],
  });
});

test("the events that a leftover has alone are in the archive, and the audit counts them", async () => {
  await portion("w-1", ["m1", "m2"], true);
  await portion("w-2", ["m1", "m3"]);
  await count();
  expect(await audit()).toMatchObject({
    ...{ outcome: "differences", notComparable: [] },
    differences: [{ level: "minute", videoId: "w", archiveCount: 1, storedCount: 0 }],
  });
});

test("an audit with repair settles books that a job left unbalanced, because it took a message twice", async () => {
  await portion("w-1", ["m1", "m2", "m3"]);
  await count();
  const again = { received: 5, counted: 0, duplicate: 5, late: 0, reusedIds: 0 };
  await stores.ledger.writeRows([{ minute: MINUTE, part: shardPart(1_000), ...again }]);
  expect(isCounted(await books())).toBe(false);
  await audit(true);
  expect(await books()).toMatchObject({ accepted: 5, archived: 5, counted: 4, duplicate: 1, late: 0 });
});
