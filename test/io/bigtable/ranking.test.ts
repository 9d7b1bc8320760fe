// SPDX-License-Identifier: Apache-2.0
import { status } from "@grpc/grpc-js";
import fc from "fast-check";
import { BigtableConnection } from "../../../io/bigtable/connection";
import { CounterRounds } from "../../../io/bigtable/counter-round";
import { BigtableCounterStore } from "../../../io/bigtable/counter-store";
import { RangeCounts } from "../../../io/bigtable/range-counts";
import { RankedReads } from "../../../io/bigtable/ranked-reads";
import { RowLoader } from "../../../io/bigtable/row-loader";
import { SeenVideos } from "../../../io/bigtable/seen-videos";
import { TierGuard } from "../../../io/bigtable/tier-guard";
import { TierStates } from "../../../io/bigtable/tier-states";
import { StoreUnavailableError } from "../../../io/ports";
import { describeWithServers } from "../../servers/with-servers";
import { seeded } from "../ports/condition";
import { asMinuteCounts, CounterModel, type ModelCell } from "../ports/counter-model";
import { cell } from "../ports/counter-store-contract";
import { withBigtable } from "./bigtable-server";
import { rankRule, withoutIndex } from "./rank-rule";

/** Sixty hours around the end of a leap February. */
const FIRST_MINUTE = Date.UTC(2024, 1, 28, 16) / 60_000;
const MINUTES = 60 * 60;
const VIDEOS = 60;

/** Counts of a few powers of two, so that cells cross them; few videos are far ahead. */
function cellsOf(seed: number): ModelCell[] {
  const random = seeded(seed);
  const cells = Array.from({ length: 120 }, () => {
    const video = Math.floor(VIDEOS * random() ** 2);
    const minute = FIRST_MINUTE + Math.floor(random() * 12) * 300 + Math.floor(random() * 3);
    const count = Math.floor(2 ** (random() * (video < 8 ? 12 : 6)));
    return cell(minute, `video-${video * 7919}`, count, { type: random() < 0.8 ? "VIEW" : "LIKE" });
  });
  return [...new Map(cells.map((one) => [`${one.minute} ${one.video} ${one.type}`, one])).values()];
}

/** From a minute to months, so that entries of each level bound the answer. */
const range = fc
  .tuple(fc.nat(MINUTES), fc.nat(MINUTES), fc.constantFrom(1, 60, 480, 1440), fc.constantFrom(0, 0, 0, 40 * 1440))
  .map(
    ([a, b, unit, longer]) =>
      [Math.floor(Math.min(a, b) / unit) * unit - longer, (Math.floor(Math.max(a, b) / unit) + 1) * unit] as const,
  );

/** The index alone: undefined where it proves nothing. */
function indexOf(connection: BigtableConnection): RankedReads {
  const tiers = new TierGuard(new TierStates(connection), () => 0);
  return new RankedReads(connection, new RangeCounts(connection, tiers), tiers);
}

/** A connection over which writes of some rows do not arrive. */
class RefusingConnection extends BigtableConnection {
  refuses: (table: string, key: string) => boolean = () => false;

  override async stream<Answer>(
    method: "readRows" | "mutateRows",
    request: Record<string, unknown> & { tableName: string },
    deadlineMs: number,
    onMessage: (message: Answer) => void,
  ): Promise<void> {
    const entries = (request.entries ?? []) as { rowKey: Buffer }[];
    if (method === "mutateRows" && entries.some(({ rowKey }) => this.refuses(request.tableName, String(rowKey))))
      throw Object.assign(new Error("cut"), { code: status.UNAVAILABLE, details: "cut" });
    return super.stream(method, request, deadlineMs, onMessage);
  }
}

describeWithServers("rankings on Bigtable", ["bigtable"], () => {
  const bigtable = withBigtable();

  it("are those of the full sort, whoever writes, in any order, with corrections", { timeout: 300_000 }, async () => {
    const steps = fc.array(fc.record({ how: fc.constantFrom("apply", "late", "correct"), seed: fc.nat(999) }), {
      minLength: 1,
      maxLength: 5,
    });
    const ranges = fc.array(range, { minLength: 4, maxLength: 8 });
    let [asked, proven] = [0, 0];
    await fc.assert(
      fc.asyncProperty(steps, ranges, fc.integer({ min: 1, max: 6 }), async (taken, wanted, limit) => {
        const config = await bigtable.tables();
        const stores = [new BigtableCounterStore(config), new BigtableCounterStore({ ...config, knownCells: 0 })];
        const model = new CounterModel();
        let before: ModelCell[] = [];
        for (const { how, seed } of taken) {
          const cells = cellsOf(seed);
          if (how === "correct") {
            // A correction lowers counts, too, and takes cells away.
            for (const one of cells) if (one.count % 3 === 0) Object.assign(one, { count: one.count > 99 ? 1 : 0 });
            model.correct(cells);
            await stores[0]!.correct(asMinuteCounts(cells));
            continue;
          }
          model.apply(cells);
          // A second writer writes the same at the same time, and one that slept writes what it had before.
          const late = how === "late" ? before : [];
          await Promise.all([
            stores[0]!.apply(asMinuteCounts(cells)),
            stores[1]!.apply(asMinuteCounts(cells.slice(0, 60))),
            stores[1]!.apply(asMinuteCounts(late)),
          ]);
          model.apply(late);
          before = cells;
        }
        expect((await rankRule(config)).missing).toEqual([]);
        const connection = new BigtableConnection(config);
        const index = indexOf(connection);
        for (const [fromOffset, toOffset] of wanted) {
          const [from, to] = [FIRST_MINUTE + fromOffset, FIRST_MINUTE + toOffset];
          for (const type of ["VIEW", "LIKE"]) {
            const top = model.top(type, from, to, limit);
            const rising = model.rising(type, from, to, limit);
            expect(await stores[0]!.top(type, from * 60_000, to * 60_000, limit)).toEqual(top);
            expect(await stores[1]!.rising(type, from * 60_000, to * 60_000, limit)).toEqual(rising);
            const own = { from, to };
            const earlier = { from: from - (to - from), to: from };
            const found = await index.largest(type, own, undefined, limit);
            const grown = await index.largest(type, own, earlier, limit);
            asked += 2;
            if (found !== undefined) proven++;
            if (grown !== undefined) proven++;
            if (found !== undefined) expect(found.map(({ videoId, count }) => ({ videoId, count }))).toEqual(top);
            if (grown !== undefined) expect(grown).toEqual(rising);
          }
        }
        await Promise.all([connection.close(), ...stores.map((store) => store.close())]);
      }),
      { numRuns: 12 },
    );
    // Most answers come from the index; the others have fewer videos than places, or counts below 8.
    expect(proven / asked).toBeGreaterThan(0.4);
  });

  it("put the smaller id first where a video that no entry names has as many events as the last place", async () => {
    const store = new BigtableCounterStore(await bigtable.tables());
    // Both have 15 events in the first minute. The hour of b reaches 16, that of a does not.
    await store.apply(
      asMinuteCounts([cell(FIRST_MINUTE, "b", 15), cell(FIRST_MINUTE + 1, "b", 1), cell(FIRST_MINUTE, "a", 15)]),
    );
    const minute = [FIRST_MINUTE * 60_000, (FIRST_MINUTE + 1) * 60_000] as const;
    // After a ranking whose last place has 20 events, candidates of 16 events an hour are asked for first: b alone.
    await store.apply(asMinuteCounts([cell(FIRST_MINUTE + 600, "c", 20)]));
    const other = [(FIRST_MINUTE + 600) * 60_000, (FIRST_MINUTE + 601) * 60_000] as const;
    expect(await store.top("VIEW", ...other, 1)).toEqual([{ videoId: "c", count: 20 }]);
    expect(await store.top("VIEW", ...minute, 1)).toEqual([{ videoId: "a", count: 15 }]);
    await store.close();
  });

  it.each([
    ["an entry", (key: string) => /^r\d#/.test(key)],
    ["a summary", (key: string) => !/^r\d#/.test(key)],
  ])("keep their rule where a write of %s does not arrive", async (_what, refused) => {
    const config = await bigtable.tables();
    const connection = new RefusingConnection({ ...config, attemptTimeoutMs: 300, totalTimeoutMs: 600 });
    const { summaries } = connection.tables;
    const tiers = new TierGuard(new TierStates(connection), () => 0);
    const loader = new RowLoader(connection, "writer");
    const seen = new SeenVideos(connection);
    const rounds = new CounterRounds(connection, loader, "writer", Date.now, tiers, seen, 100);
    const write = (count: number) =>
      rounds.write([
        {
          ...{ videoId: "a", type: "VIEW", minute: FIRST_MINUTE, count, sum: 0n, valued: 0 },
          ...{ lastMs: FIRST_MINUTE * 60_000, received: count, correction: 0, onWritten: () => undefined },
        },
      ]);
    for (const count of [10, 40, 41, 2_000]) {
      connection.refuses = (table, key) => table === summaries && refused(key);
      // A count within the bound of its entry writes no entry.
      if (count === 41 && refused("r0#")) await write(count);
      else await expect(write(count)).rejects.toThrow(StoreUnavailableError);
      expect((await rankRule(config)).missing).toEqual([]);
      connection.refuses = () => false;
      await write(count);
      expect((await rankRule(config)).missing).toEqual([]);
    }
    await connection.close();
  });

  it("are read anew where the index has only larger entries, and where it is not complete", async () => {
    const config = await bigtable.tables();
    const store = new BigtableCounterStore(config);
    const cells = Array.from({ length: 40 }, (_, n) => cell(FIRST_MINUTE, `v-${n}`, 1_000 + n));
    await store.apply(asMinuteCounts(cells));
    const lower = cells.map((one, n) => ({ ...one, count: 10 + ((n * 7) % 40) }));
    await store.correct(asMinuteCounts(lower));
    const model = new CounterModel();
    model.correct(lower);
    const hour = [FIRST_MINUTE * 60_000, (FIRST_MINUTE + 60) * 60_000] as const;
    expect(await store.top("VIEW", ...hour, 5)).toEqual(model.top("VIEW", FIRST_MINUTE, FIRST_MINUTE + 60, 5));

    const connection = new BigtableConnection(config);
    await withoutIndex(config, { mark: true });
    expect(await store.top("VIEW", ...hour, 5)).toEqual(model.top("VIEW", FIRST_MINUTE, FIRST_MINUTE + 60, 5));
    expect((await rankRule(config)).missing).not.toEqual([]);
    expect(await store.completeIndexes()).toBe(true);
    expect((await rankRule(config)).missing).toEqual([]);
    expect(
      await indexOf(connection).largest("VIEW", { from: FIRST_MINUTE, to: FIRST_MINUTE + 60 }, undefined, 5),
    ).toEqual(model.top("VIEW", FIRST_MINUTE, FIRST_MINUTE + 60, 5).map((one) => ({ ...one, previous: 0 })));
    await Promise.all([connection.close(), store.close()]);
  });
});
