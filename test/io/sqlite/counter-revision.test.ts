// SPDX-License-Identifier: Apache-2.0
/** The number of changes of a bucket's value after it was first final, in the embedded store. */
import type { Granularity } from "../../../io/ports";
import { SqliteCounterStore } from "../../../io/sqlite/counter-store";
import { removeFolders, temporaryFolder } from "../ports/condition";
import { asMinuteCounts } from "../ports/counter-model";
import { cell } from "../ports/counter-store-contract";

afterEach(removeFolders);

const DAY_MINUTES = 1440;
let store: SqliteCounterStore;
beforeEach(() => {
  store = new SqliteCounterStore({ folder: temporaryFolder() });
});
afterEach(() => store.close());

const write = (count: number, finalBeforeMinute?: number, minute = 61, rest = {}) =>
  store.apply(
    asMinuteCounts([cell(minute, "a", count, rest)]),
    finalBeforeMinute === undefined ? {} : { finalBeforeMinute },
  );

async function revisions(): Promise<Record<Granularity, number[]>> {
  const of = async (granularity: Granularity) =>
    (await store.read("a", "VIEW", 0, 10 * 86_400_000, granularity)).map(({ revision }) => revision);
  return { minute: await of("minute"), hour: await of("hour"), day: await of("day") };
}

it("a minute, an hour and a day are revised by a change after their own end was final", async () => {
  await write(1);
  await write(2, 61);
  expect(await revisions()).toEqual({ minute: [0], hour: [0], day: [0] });
  await write(3, 62);
  expect(await revisions()).toEqual({ minute: [1], hour: [0], day: [0] });
  await write(4, 120);
  expect(await revisions()).toEqual({ minute: [2], hour: [1], day: [0] });
  await write(5, DAY_MINUTES);
  expect(await revisions()).toEqual({ minute: [3], hour: [2], day: [1] });
});

it("a write that changes no value revises nothing: a repeat, an older state, a later last event", async () => {
  await write(3, undefined, 61, { last: 5 });
  await write(3, DAY_MINUTES, 61, { last: 5 });
  await write(2, DAY_MINUTES);
  await write(3, DAY_MINUTES, 61, { last: 9 });
  expect(await revisions()).toEqual({ minute: [0], hour: [0], day: [0] });
  await write(3, DAY_MINUTES, 61, { last: 9, valued: 1 });
  expect(await revisions()).toEqual({ minute: [1], hour: [1], day: [1] });
});

it("a bucket that was final and empty is revised by its first events", async () => {
  await write(3, Number.POSITIVE_INFINITY);
  expect(await revisions()).toEqual({ minute: [1], hour: [1], day: [1] });
});

it("a correction revises its minute and what is above it, and a later write keeps the revision", async () => {
  await write(3);
  await write(1, undefined, 62);
  await store.correct(asMinuteCounts([cell(61, "a", 5)]));
  expect(await revisions()).toEqual({ minute: [1, 0], hour: [1], day: [1] });
  await store.apply(asMinuteCounts([cell(61, "a", 6)]), { followCorrections: true });
  expect(await revisions()).toEqual({ minute: [1, 0], hour: [1], day: [1] });
});

it("a rebuild of what is right revises nothing", async () => {
  await write(3, DAY_MINUTES);
  await store.rebuild("a", 0, 86_400_000);
  expect(await revisions()).toEqual({ minute: [1], hour: [1], day: [1] });
});
