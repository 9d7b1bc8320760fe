// SPDX-License-Identifier: Apache-2.0

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../../domain/rules/time";
import { BigtableConnection } from "../../../io/bigtable/connection";
import { deleteColumn, setCell } from "../../../io/bigtable/requests";
import { columnRange } from "../../../io/bigtable/row-filters";
import { DAY_FAMILY, HOUR_FAMILY, summaryRowKey } from "../../../io/bigtable/row-keys";
import { mutateRows, readRows } from "../../../io/bigtable/rows";
import { GcsRollUps } from "../../../io/gcs/roll-up-folder";
import type { GcsEmulator } from "../../../servers";
import { BARE_ENVIRONMENT } from "../../bare-environment";
import { auditChannelsContract } from "../../pipelines/audit-channels-contract";
import { booksOf, finishTiering, ROLLING, runChild, SEED } from "../../pipelines/kill-of-tiering";
import { tierContract } from "../../pipelines/tier-contract";
import { allCells, eventOf, OLD, someEvents } from "../../pipelines/tier-events";
import { RETENTION, TierHarness } from "../../pipelines/tier-harness";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { BUCKET, freshPrefix, startGcsServer } from "../gcs/gcs-server";
import { withBigtable } from "./bigtable-server";
import { type ClusterPlace, clusterGround } from "./cluster-ground";
import { rankRule, withoutIndex } from "./rank-rule";

const MAIN = join(__dirname, "..", "..", "..", "cli", "main.js");

describeWithServers("tiers of a cluster", ["bigtable", "gcs"], () => {
  const bigtable = withBigtable();
  let gcs: GcsEmulator;
  beforeAll(async () => {
    gcs = await startGcsServer();
  }, COLD_START_MS);
  afterAll(() => gcs?.stop());

  const newPlace = async (): Promise<ClusterPlace> => ({
    bigtable: await bigtable.tables(),
    gcs: { bucket: BUCKET, prefix: freshPrefix(), endpoint: gcs.endpoint },
  });
  let place: ClusterPlace;

  tierContract("Bigtable and Cloud Storage", {
    open: async () => {
      place = await newPlace();
      return TierHarness.open(undefined, clusterGround(place));
    },
    runs: 1,
    takeAway: async (_, level) => {
      const connection = new BigtableConnection(place.bigtable);
      const table = connection.tables.summaries;
      const key = summaryRowKey("a");
      const [family, column] = level === "hour" ? [HOUR_FAMILY, "2026102000:VIEW"] : [DAY_FAMILY, "20261020:VIEW"];
      const query = { tableName: table, keys: [key], filter: columnRange(family, column, `${column}~`) };
      const [row] = await readRows(connection, query);
      await mutateRows(connection, table, [
        { key, mutations: row!.cells.map(({ qualifier }) => deleteColumn(family, qualifier)) },
      ]);
      return async () => {
        const mutations = row!.cells.map(({ qualifier, version, value }) => setCell(family, qualifier, version, value));
        await mutateRows(connection, table, [{ key, mutations }]);
        await connection.close();
      };
    },
  });

  auditChannelsContract("Bigtable", async () => TierHarness.open(undefined, clusterGround(await newPlace())));

  it(`kill -9 after each step of one tiering in turn loses nothing and doubles nothing (seed ${SEED})`, async () => {
    const own = await newPlace();
    const harness = await TierHarness.open(undefined, clusterGround(own));
    try {
      await harness.count(fc.sample(someEvents(20), { numRuns: 1, seed: SEED })[0]!);
      await harness.count([eventOf([0, 5, 0, 0, 3])]);
      await harness.audit();
      const before = await allCells(harness);
      const books = await booksOf(harness);
      for (const step of ROLLING) {
        await harness.shut();
        expect(runChild(harness, step, own)).toBe("SIGKILL");
        await harness.reopen();
        expect({ step, cells: await allCells(harness) }).toEqual({ step, cells: before });
      }
      await finishTiering(harness, before, books);
    } finally {
      await harness.close();
    }
  }, 90_000);

  it("two processes that tier at once: one goes on, the other one stops, and no cell is lost or doubled", async () => {
    const own = await newPlace();
    const harness = await TierHarness.open(undefined, clusterGround(own));
    const other = await TierHarness.open(undefined, clusterGround(own));
    try {
      await harness.count([eventOf([0, 5, 0, 0, 3]), eventOf([0, 65, 1, 0, 4]), eventOf([1, 0, 0, 1, undefined])]);
      await harness.audit();
      const before = await allCells(harness);
      const ended = await Promise.allSettled([harness, other].map((one) => one.tier()));
      for (const one of ended) {
        if (one.status === "rejected")
          expect(String(one.reason)).toMatch(/another process is rolling up|cannot freeze|journal/);
      }
      await harness.reopen();
      await harness.tier();
      expect(await allCells(harness)).toEqual(before);
      expect((await harness.audit()).outcome).toBe("equal");
    } finally {
      await other.close();
      await harness.close();
    }
  });

  it("a stream that writes a minute again after it was rolled up changes nothing", async () => {
    const own = await newPlace();
    const harness = await TierHarness.open(undefined, clusterGround(own));
    try {
      const events = [eventOf([0, 5, 0, 0, 3]), eventOf([0, 65, 0, 0, 4])];
      await harness.count(events);
      await harness.audit();
      await harness.tier();
      const before = await allCells(harness);
      // Another process, which does not remember what it wrote.
      await harness.reopen();
      await harness.countOnly(events);
      expect(await allCells(harness)).toEqual(before);
      for (const hour of [0, 1]) await harness.counters.rebuild("a", OLD + hour * HOUR_MS, OLD + (hour + 1) * HOUR_MS);
      expect(await allCells(harness)).toEqual(before);
      expect((await harness.audit()).outcome).toBe("equal");
    } finally {
      await harness.close();
    }
  });

  it("entries of the ranking index leave with their hours, and days are ranked as before", async () => {
    const own = await newPlace();
    const harness = await TierHarness.open(undefined, clusterGround(own));
    const entriesOf = async (level: string) => {
      const { missing, entries } = await rankRule(own.bigtable);
      expect(missing).toEqual([]);
      return entries.filter((key) => key.includes(`#${level}#VIEW#`)).length;
    };
    try {
      const events = [0, 1, 2].flatMap((video) =>
        Array.from({ length: 10 * (video + 1) }, (_, n) => eventOf([0, n % 3, video, 0, undefined])),
      );
      await harness.count(events);
      await harness.count([eventOf([2, 5, 0, 0, undefined])]);
      await harness.audit();
      const top = () => harness.counters.top("VIEW", OLD, OLD + DAY_MS, 2);
      const before = await top();
      expect(before.map(({ count }) => count)).toEqual([30, 20]);
      expect([await entriesOf("h"), await entriesOf("d"), await entriesOf("mo")]).toEqual([3, 3, 3]);
      harness.nowMs += RETENTION.hoursMs;
      const rolled = await harness.tier();
      expect(new Set(rolled.map(({ level, outcome }) => `${level} ${outcome}`))).toEqual(
        new Set(["minute rolled-up", "hour rolled-up"]),
      );
      expect([await entriesOf("h"), await entriesOf("d"), await entriesOf("mo")]).toEqual([0, 3, 3]);
      expect(await top()).toEqual(before);
    } finally {
      await harness.close();
    }
  });

  it("the command line has the same places: it exports store and roll-ups to the bucket, and finds nothing to move", async () => {
    const own = await newPlace();
    const harness = await TierHarness.open(undefined, clusterGround(own));
    try {
      harness.nowMs = Date.now();
      const oldMs = Math.floor(harness.nowMs / DAY_MS) * DAY_MS - 40 * DAY_MS;
      const events = Array.from({ length: 12 }, (_, n) => ({
        ...{ eventId: `x${n}`, videoId: `v${n % 3}`, eventType: "VIEW", value: n },
        eventTimeMs: oldMs + (n % 2) * 35 * DAY_MS + n * 61 * MINUTE_MS,
      }));
      await harness.count(events);
      await harness.audit();
      expect(await harness.tier()).toMatchObject([{ outcome: "rolled-up" }]);

      const viewmill = commandsOf(own, harness);
      expect(viewmill("tier")).toEqual([]);
      const out = `${own.gcs.prefix}/out`;
      const range = ["--from", new Date(oldMs).toISOString(), "--to", new Date(oldMs + 36 * DAY_MS).toISOString()];
      const files = viewmill("export", ...range, "--granularity", "minute", "--out", `gs://${BUCKET}/${out}`);
      expect(files).toHaveLength(2);

      const bucket = new GcsRollUps({ ...own.gcs, prefix: out });
      const read = await (await DuckDBInstance.create()).connect();
      const counted = new Set<string>();
      for (const name of await bucket.names("granularity=minute")) {
        const file = join(harness.folder, name.replaceAll("/", "-"));
        writeFileSync(file, new Uint8Array(await (await bucket.open(name))!.slice(0)));
        const found = await read.runAndReadAll(
          `SELECT video_id, epoch_ms(start)::DOUBLE, count::DOUBLE, sum::DOUBLE FROM read_parquet('${file}')`,
        );
        for (const row of found.getRows()) counted.add(row.join(" "));
      }
      read.closeSync();
      expect(counted).toEqual(new Set(events.map((one) => `${one.videoId} ${one.eventTimeMs} 1 ${one.value}`)));
    } finally {
      await harness.close();
    }
  });

  it("the command line completes the indexes of tables of before, and builds them again with --index-anew", async () => {
    const own = await newPlace();
    const harness = await TierHarness.open(undefined, clusterGround(own));
    try {
      harness.nowMs = Date.now();
      const eventTimeMs = Math.floor(harness.nowMs / HOUR_MS) * HOUR_MS - 2 * HOUR_MS;
      const events = Array.from({ length: 60 }, (_, n) => ({
        ...{ eventId: `i${n}`, videoId: n % 3 === 0 ? "b" : "a", eventType: "VIEW", eventTimeMs },
      }));
      await harness.count(events);
      const viewmill = commandsOf(own, harness);
      const completed = [{ level: "indexes", outcome: "completed" }];
      const isMissing = async () => (await rankRule(own.bigtable)).missing.length > 0;
      expect(viewmill("tier")).toEqual([]);
      await withoutIndex(own.bigtable, { mark: true });
      expect(await isMissing()).toBe(true);
      expect(viewmill("tier")).toEqual(completed);
      expect(await isMissing()).toBe(false);
      expect(viewmill("tier")).toEqual([]);
      // The mark says that the index is complete; a program of before has written since.
      await withoutIndex(own.bigtable, { mark: false });
      expect(viewmill("tier")).toEqual([]);
      expect(await isMissing()).toBe(true);
      expect(viewmill("tier", "--index-anew")).toEqual(completed);
      expect(await isMissing()).toBe(false);
    } finally {
      await harness.close();
    }
  });
});

/** The command line over a place of this suite. */
function commandsOf({ bigtable: tables, gcs: objects }: ClusterPlace, { folder }: { folder: string }) {
  const env = {
    ...BARE_ENVIRONMENT,
    ...{ VIEWMILL_PROJECT: tables.projectId, VIEWMILL_COUNTERS_KIND: "bigtable" },
    ...{ VIEWMILL_COUNTERS_INSTANCE: tables.instanceId, VIEWMILL_COUNTERS_TABLE_PREFIX: tables.tablePrefix! },
    ...{ VIEWMILL_COUNTERS_ENDPOINT: tables.emulatorHost!, VIEWMILL_GCS_BUCKET: BUCKET },
    ...{ VIEWMILL_GCS_ENDPOINT: objects.endpoint!, VIEWMILL_ARCHIVE_KIND: "gcs" },
    ...{ VIEWMILL_ARCHIVE_PREFIX: `${objects.prefix}/archive/`, VIEWMILL_TIER_PREFIX: `${objects.prefix}/rollups/` },
  };
  const data = join(folder, "cli");
  mkdirSync(data);
  return (...args: string[]): unknown[] => {
    const command = [MAIN, ...args, "--data", data, "--json"];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: "utf8", env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return JSON.parse(stdout) as unknown[];
  };
}
