// SPDX-License-Identifier: Apache-2.0
/**
 * Rows that the code before 2026-12 wrote (at commit 52a043a, rows-52a043a.json), and both programs on the same rows.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeCell } from "../../../io/bigtable/codec";
import type { BigtableConfig } from "../../../io/bigtable/config";
import { BigtableConnection } from "../../../io/bigtable/connection";
import { BigtableCounterStore } from "../../../io/bigtable/counter-store";
import { type Mutation, setCell } from "../../../io/bigtable/requests";
import { minuteRowKey, summaryRowKey } from "../../../io/bigtable/row-keys";
import { mutateRows, readRows } from "../../../io/bigtable/rows";
import { describeWithServers } from "../../servers/with-servers";
import { asMinuteCounts, CounterModel, type ModelCell, modelLevels, storedLevels } from "../ports/counter-model";
import { cell } from "../ports/counter-store-contract";
import { withBigtable } from "./bigtable-server";

type Recorded = Record<"minutes" | "summaries", { key: string; cells: [string, string, number, string][] }[]>;

const ROWS = JSON.parse(
  readFileSync(join(__dirname, "..", "..", "..", "..", "test", "io", "bigtable", "rows-52a043a.json"), "utf8"),
) as Recorded;
const FIRST = Date.UTC(2026, 9, 31, 23, 58) / 60_000;
const HOUR_MS = 3_600_000;
const FROM_MS = FIRST * 60_000;

/** The input of the recording program: the last state of each cell. */
const RECORDED: ModelCell[] = [0, 1, 2, 3].flatMap((n) => [
  cell(FIRST + n, "a", 10 + n, { last: 100 + n, received: 12 + n }),
  cell(FIRST + n, "a", 3 + n, { type: "WATCH", sum: BigInt(1000 * (n + 1)), last: 200 + n, received: 3 + n }),
  cell(FIRST + n, "c/1", 5, { type: "LIKE", sum: n % 2 === 1 ? 0n : 7n, last: 50, received: 5 }),
]);
RECORDED.push(
  cell(FIRST + 70, "a", 2, { type: "WATCH", sum: -9n, last: 5, received: 2 }),
  cell(FIRST + 1500, "a", 4, { last: 6, received: 4 }),
  cell(FIRST + 1500, "b", 3, { type: "VALUE", sum: (2n ** 53n - 1n) * 3n, last: 6, received: 3 }),
);
const CORRECTED = [
  [cell(FIRST, "a", 9, { last: 90, received: 12 }), cell(FIRST + 2, "c/1", 0, { type: "LIKE", received: 5 })],
  [cell(FIRST, "a", 11, { last: 95, received: 13 })],
];

/** A cell as the earlier program understands it: all of its events have a value, or none. */
const assumed = (cells: readonly ModelCell[]) =>
  cells.map((each) => ({ ...each, valued: each.sum === 0n ? 0 : each.count }));

function recordedModel(): CounterModel {
  const model = new CounterModel();
  model.apply(assumed(RECORDED));
  for (const corrected of CORRECTED) model.correct(assumed(corrected));
  return model;
}

async function restore(config: BigtableConfig): Promise<void> {
  const connection = new BigtableConnection(config);
  for (const role of ["minutes", "summaries"] as const) {
    const rows = ROWS[role].map(({ key, cells }) => ({
      key,
      mutations: cells.map(([family, qualifier, version, value]) =>
        setCell(family, qualifier, version, Buffer.from(value, "base64")),
      ),
    }));
    await mutateRows(connection, connection.tables[role], rows);
  }
  await connection.close();
}

/** Cells of the first format, as a program before 2026-12 writes them: no second column, and its mark. */
async function writeAsBefore(
  config: BigtableConfig,
  video: string,
  minutes: Record<number, [string, number, { count: number; sum: bigint; lastMs: number }]>,
  summary: [string, string, number, { count: number; sum: bigint; lastMs: number }][],
): Promise<void> {
  const connection = new BigtableConnection(config);
  const mark = () => setCell("w", "earlier", Date.now(), Buffer.alloc(0));
  for (const [minute, [type, version, value]] of Object.entries(minutes)) {
    const column = `${type}:${String(((Number(minute) % 60) + 60) % 60).padStart(2, "0")}`;
    const mutations: Mutation[] = [setCell("m", column, version, encodeCell(value)), mark()];
    const key = minuteRowKey(video, Math.floor(Number(minute) / 60));
    await mutateRows(connection, connection.tables.minutes, [{ key, mutations }]);
  }
  const mutations = summary.map(([family, name, version, value]) => setCell(family, name, version, encodeCell(value)));
  await mutateRows(connection, connection.tables.summaries, [
    { key: summaryRowKey(video), mutations: [...mutations, mark()] },
  ]);
  await connection.close();
}

/** The length of each column's value, by family and column. */
async function widths(config: BigtableConfig, role: "minutes" | "summaries"): Promise<Record<string, number>> {
  const connection = new BigtableConnection(config);
  const query = { tableName: connection.tables[role], ranges: [{ start: "\0", end: "\x7f" }] };
  const rows = await readRows(connection, { ...query, filter: { passAllFilter: true } });
  await connection.close();
  return Object.fromEntries(
    rows.flatMap(({ cells }) =>
      cells
        .filter(({ family }) => family !== "w")
        .map(({ family, qualifier, value }) => [`${family} ${qualifier}`, value.length]),
    ),
  );
}

describeWithServers("Bigtable rows of the earlier format", ["bigtable"], () => {
  const bigtable = withBigtable();

  it("are read as they were, with as many values as their sums imply", async () => {
    const config = await bigtable.tables();
    await restore(config);
    const store = new BigtableCounterStore(config);
    const levels = await storedLevels(store);
    const model = modelLevels(recordedModel());
    expect(levels.minute).toEqual(model.minute);
    expect(await store.totals("a")).toEqual(
      new Map([
        ["VIEW", { count: 51, sum: 0n, valued: 0, lastEventAtMs: (FIRST + 1500) * 60_000 + 6 }],
        ["WATCH", { count: 20, sum: 9_991n, valued: 20, lastEventAtMs: (FIRST + 70) * 60_000 + 5 }],
      ]),
    );
    // Reads a minute that was corrected twice, and the levels above it.
    const read = (type: string, video: string, granularity: "minute" | "hour" | "day") =>
      store.read(video, type, Math.floor(FROM_MS / HOUR_MS / 24) * 24 * HOUR_MS, FROM_MS + 2 * HOUR_MS, granularity);
    expect((await read("VIEW", "a", "minute")).map(({ revision }) => revision)).toEqual([2, 0, 0, 0]);
    expect((await read("VIEW", "a", "hour")).map(({ revision }) => revision)).toEqual([2, 0]);
    expect((await read("VIEW", "a", "day")).map(({ revision }) => revision)).toEqual([2, 0]);
    // A minute that an audit took away is none; the hour that had it has changed once.
    expect((await read("LIKE", "c/1", "minute")).map(({ count, valued }) => [count, valued])).toEqual([
      [5, 5],
      [5, 0],
      [5, 0],
    ]);
    expect((await read("LIKE", "c/1", "hour")).map(({ revision }) => revision)).toEqual([0, 1]);
    await store.close();
  });

  it("are completed by a program of today that counts the same events again, without another version", async () => {
    const config = await bigtable.tables();
    await restore(config);
    const store = new BigtableCounterStore(config);
    const exact = RECORDED.filter(({ minute, type }) => type !== "VIEW" && minute !== FIRST + 2).map((each) =>
      each.type === "LIKE" ? { ...each, valued: 2 } : { ...each, valued: each.count - 1 },
    );
    expect((await store.apply(asMinuteCounts(exact))).written).toBe(0);
    const model = new CounterModel();
    model.apply(assumed(RECORDED).filter(({ type, minute }) => type === "VIEW" || minute === FIRST + 2));
    for (const corrected of CORRECTED) model.correct(assumed(corrected));
    model.apply(exact);
    expect(await storedLevels(store)).toEqual(modelLevels(model));
    // And once more, by one that knows nothing: nothing is left to do.
    const other = new BigtableCounterStore(config);
    expect((await other.apply(asMinuteCounts(exact))).written).toBe(0);
    expect(await storedLevels(other)).toEqual(modelLevels(model));
    await Promise.all([store.close(), other.close()]);
  });

  it("are corrected by an audit at every level", async () => {
    const config = await bigtable.tables();
    await restore(config);
    const store = new BigtableCounterStore(config);
    const model = recordedModel();
    const audited = RECORDED.filter(({ minute }) => minute !== FIRST + 2).map((each) => ({
      ...each,
      valued: 1,
      sum: 3n,
    }));
    await store.correct(asMinuteCounts(audited));
    model.correct(audited);
    const left = assumed(RECORDED).filter(({ minute, type }) => minute === FIRST + 2 && type !== "LIKE");
    await store.correct(asMinuteCounts(left));
    model.correct(left);
    expect(await storedLevels(store)).toEqual(modelLevels(model));
    await store.close();
  });

  it("agree at every level once they are rebuilt: an hour's sum says less of its values than its minutes' sums", async () => {
    const config = await bigtable.tables();
    await restore(config);
    const store = new BigtableCounterStore(config);
    const model = modelLevels(recordedModel());
    expect((await storedLevels(store)).hour).not.toEqual(model.hour);
    for (const video of ["a", "b", "c/1"]) await store.rebuild(video, FROM_MS, FROM_MS + 48 * HOUR_MS);
    expect(await storedLevels(store)).toEqual(model);
    await store.close();
  });

  it("stay as wide as they were: what an earlier program would not understand is in columns of its own", async () => {
    const config = await bigtable.tables();
    const store = new BigtableCounterStore(config);
    await store.apply(asMinuteCounts([cell(61, "a", 5, { sum: 9n, valued: 2 }), cell(62, "a", 1)]));
    expect(await widths(config, "minutes")).toEqual({ "m VIEW:01": 32, "m VIEW:01+": 33, "m VIEW:02": 32 });
    expect(await widths(config, "summaries")).toEqual({
      "h 1970010101:VIEW": 32,
      "h 1970010101:VIEW+": 33,
      "d 19700101:VIEW": 32,
      "d 19700101:VIEW+": 33,
      "mo 197001:VIEW": 32,
      "mo 197001:VIEW+": 33,
      "t VIEW": 32,
      "t VIEW+": 33,
    });
    await store.close();
  });

  it("written beside today's never beat them, and lose no count: one and then the other, both ways", async () => {
    const config = await bigtable.tables();
    const store = new BigtableCounterStore(config);
    const model = new CounterModel();
    const ours = [cell(61, "a", 5, { sum: 9n, valued: 2 }), cell(62, "a", 4, { sum: 8n, valued: 4 })];
    model.apply(ours);
    await store.apply(asMinuteCounts(ours));
    // The earlier program has counted the same of both minutes: nothing changes, and what it does not know stays.
    const [first, second] = [
      { count: 5, sum: 9n, lastMs: 61 * 60_000 },
      { count: 4, sum: 8n, lastMs: 62 * 60_000 },
    ];
    const both = { count: 9, sum: 17n, lastMs: 62 * 60_000 };
    const above = (version: number, value: typeof both): [string, string, number, typeof both][] => [
      ["h", "1970010101:VIEW", version, value],
      ["d", "19700101:VIEW", version, value],
      ["mo", "197001:VIEW", version, value],
      ["t", "VIEW", version, value],
    ];
    await writeAsBefore(config, "a", { 61: ["VIEW", 5, first], 62: ["VIEW", 4, second] }, above(9, both));
    expect(await storedLevels(store)).toEqual(modelLevels(model));
    // The earlier program counts one event more of the first minute. Its counts are right at every level; its valued
    // counts are those that the sum implies.
    const more = { count: 6, sum: 10n, lastMs: 61 * 60_000 + 7 };
    await writeAsBefore(config, "a", { 61: ["VIEW", 6, more] }, above(10, { ...both, count: 10, sum: 18n }));
    const [minute] = await store.read("a", "VIEW", 61 * 60_000, 62 * 60_000, "minute");
    expect(minute).toMatchObject({ count: 6, sum: 10n, valued: 6 });
    expect(await store.totals("a")).toMatchObject(new Map([["VIEW", { count: 10, sum: 18n, valued: 10 }]]));
    // An older state of ours does not come back; the same state, with what we know of it, completes the cell at every
    // level.
    const late = [cell(61, "a", 5, { sum: 9n, valued: 2 })];
    expect((await store.apply(asMinuteCounts(late))).written).toBe(0);
    const same = [cell(61, "a", 6, { sum: 10n, last: 7, valued: 3 })];
    await store.apply(asMinuteCounts(same));
    model.apply(same);
    expect(await storedLevels(store)).toEqual(modelLevels(model));
    await store.close();
  });
});
