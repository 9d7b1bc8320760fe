// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { provideResource, withdrawResource } from "../../engine";
import type { StoreUnavailableError } from "../../io/ports";
import { SqliteCounterStore } from "../../io/sqlite/counter-store";
import { SqliteLedger } from "../../io/sqlite/ledger";
import { DeferredRanges } from "../../pipelines/embedded/deferred-ranges";
import { EmbeddedPaneCache } from "../../pipelines/embedded/pane-cache";
import type { PassResult } from "../../pipelines/embedded/pass";
import { runStream } from "../../pipelines/embedded/stream";
import { RESOURCES } from "../../transforms/resource-names";
import { T0 } from "../domain/model";
import { openStores, type Stores } from "../system/golden/embedded-runner";
import { ingest } from "../system/golden/ingest";
import { until } from "../until";

let folder = "";
let stores: Stores;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-stream-"));
  const opened = await openStores(folder);
  await Promise.all([opened.counters.close(), opened.ledger.close()]);
  const impatient = { folder, busyTimeoutMs: 1 };
  stores = { ...opened, counters: new SqliteCounterStore(impatient), ledger: new SqliteLedger(impatient) };
});
afterEach(async () => {
  await stores.close();
  await Promise.all([stores.counters.close(), stores.ledger.close()]);
  rmSync(folder, { recursive: true, force: true });
});

const send = (eventId: string) =>
  ingest(
    {
      kind: "send",
      receivedAtMs: T0,
      checked: true,
      events: [{ raw: { eventId, videoId: "v", eventType: "VIEW", eventTime: T0 } }],
    },
    stores.log,
    stores.deadLetters,
  );

/** The stream over the stores until `stop`; what it has said, and when its passes began. */
function start(over: Partial<Stores> = {}, minPassIntervalMs = 1) {
  const used = { ...stores, ...over };
  const stop = new AbortController();
  const passes: PassResult[] = [];
  const startsMs: number[] = [];
  const waits: StoreUnavailableError[] = [];
  const panes = new EmbeddedPaneCache(1_000);
  const provided = new Map<string, unknown>([
    [RESOURCES.archive, used.archive],
    [RESOURCES.counterStore, used.counters],
    [RESOURCES.ledger, used.ledger],
    [RESOURCES.deadLetters, used.deadLetters],
    [RESOURCES.paneCache, panes],
  ]);
  for (const [name, value] of provided) provideResource(name, value);
  const counting = {
    dedupePartitions: 1,
    videoShards: 1,
    allowedLatenessMs: -1,
    followCorrections: true,
    paneCache: RESOURCES.paneCache,
  };
  const bounds = {
    maxEntries: 100,
    maxBytes: 1 << 20,
    maxMinutes: 10,
    maxRecountEvents: 1_000,
    finalAfterMs: 3_600_000,
  };
  const pace = { minPassIntervalMs, maxCpuShare: 1, pollIntervalMs: 1 };
  const onPass = (pass: PassResult, tookMs: number) => {
    passes.push(pass);
    startsMs.push(performance.now() - tookMs);
  };
  const ended = runStream(
    { ...used, panes, deferredRanges: new DeferredRanges() },
    { writer: "stream", ...bounds, counting, ...pace },
    stop.signal,
    { onPass, onWait: (error) => waits.push(error) },
  ).finally(() => {
    for (const name of provided.keys()) withdrawResource(name);
  });
  ended.catch(() => undefined);
  return { ended, passes, startsMs, waits, stop: () => stop.abort() };
}

const DEADLINE_MS = 60_000;

test("a store that another process has locked is waited for, then the stream goes on where it was", async () => {
  const other = new DatabaseSync(join(folder, "counters.sqlite"));
  other.exec("BEGIN IMMEDIATE");
  await send("a");
  const stream = start();
  await until("the stream waits for the lock", async () => stream.waits.length >= 3, DEADLINE_MS, 5);
  expect(String(stream.waits[0])).toMatch(/database is locked/);
  expect(stream.passes).toEqual([]);
  other.exec("COMMIT");
  other.close();
  await until("a pass after the lock", async () => stream.passes.length === 1, DEADLINE_MS, 5);
  await send("b");
  await until("a pass after the second event", async () => stream.passes.length === 2, DEADLINE_MS, 5);
  stream.stop();
  await stream.ended;
  expect((await stores.counters.totals("v")).get("VIEW")?.count).toBe(2);
});

test("a failure that no waiting heals ends the stream", async () => {
  await send("a");
  const broken = Object.assign(Object.create(stores.archive) as typeof stores.archive, {
    write: () => Promise.reject(new Error("a bug")),
  });
  const stream = start({ archive: broken });
  await expect(stream.ended).rejects.toThrow("a bug");
  expect(stream.waits).toEqual([]);
});

test("passes are spaced though there is always a newer event when one ends", async () => {
  const [spacedMs, exactnessMs] = [200, 5];
  let number = 0;
  const busy = Object.assign(Object.create(stores.archive) as typeof stores.archive, {
    write: async (...object: Parameters<typeof stores.archive.write>) => {
      await send(`newer-${number++}`);
      return stores.archive.write(...object);
    },
  });
  // A pass takes 100 entries at most.
  for (let n = 0; n < 250; n++) await send(`e${n}`);
  const stream = start({ archive: busy }, spacedMs);
  await until("some passes", async () => stream.passes.length >= 6, DEADLINE_MS, 5);
  stream.stop();
  await stream.ended;
  const restsMs = stream.startsMs.map((startMs, pass) => startMs - (stream.startsMs[pass - 1] ?? 0));
  stream.passes.forEach(({ left }, pass) => {
    expect(left).toBe(pass < 2 ? "older" : "newer");
    if (left === "newer" && pass + 1 < restsMs.length)
      expect(restsMs[pass + 1]).toBeGreaterThan(spacedMs - exactnessMs);
  });
});
