// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import type { BigtableConfig } from "../../../io/bigtable/config";
import { BigtableConnection } from "../../../io/bigtable/connection";
import { type CellWrite, CounterRounds } from "../../../io/bigtable/counter-round";
import { BigtableCounterStore } from "../../../io/bigtable/counter-store";
import { RowLoader } from "../../../io/bigtable/row-loader";
import { mutateRows, readRows } from "../../../io/bigtable/rows";
import { SeenVideos } from "../../../io/bigtable/seen-videos";
import { TierGuard } from "../../../io/bigtable/tier-guard";
import { TierStates } from "../../../io/bigtable/tier-states";
import { StoreUnavailableError } from "../../../io/ports";
import { startFaultProxy } from "../../../servers/fault-proxy";
import { describeWithServers } from "../../servers/with-servers";
import { asMinuteCounts } from "../ports/counter-model";
import { cell } from "../ports/counter-store-contract";
import { withBigtable } from "./bigtable-server";

async function allOf(log: SeenVideos, limit: number): Promise<string[]> {
  const videoIds: string[] = [];
  for (let last = 0; ; ) {
    const page = await log.after(last, limit);
    if (page.videoIds.length === 0) return videoIds;
    videoIds.push(...page.videoIds);
    last = page.last;
  }
}

/** Deletes all rows of the ledger's table: what a program without indexes leaves. */
async function forgetIndexes(config: BigtableConfig): Promise<void> {
  const connection = new BigtableConnection(config);
  const { ledger } = connection.tables;
  const rows = await readRows(connection, {
    tableName: ledger,
    ranges: [{ start: "a", end: "~" }],
    filter: { passAllFilter: true },
  });
  await mutateRows(
    connection,
    ledger,
    rows.map(({ key }) => ({ key, mutations: [{ deleteFromRow: {} }] })),
  );
  await connection.close();
}

describeWithServers("the counted videos on Bigtable", ["bigtable"], () => {
  const bigtable = withBigtable();

  it("are listed without a gap, whoever appends at the same time: a reader at the end misses none", async () => {
    const config = await bigtable.tables();
    const connections = Array.from({ length: 5 }, () => new BigtableConnection(config));
    const writers = connections.slice(1).map((connection) => new SeenVideos(connection));
    const reader = new SeenVideos(connections[0]!);
    const acknowledged = new Set<string>();
    const seen = new Set<string>();
    let last = 0;
    let isOver = false;
    const reading = (async () => {
      for (let isLast = false; ; ) {
        const expected = [...acknowledged];
        for (let page = await reader.after(last, 50); page.videoIds.length > 0; page = await reader.after(last, 50)) {
          for (const videoId of page.videoIds) seen.add(videoId);
          last = page.last;
        }
        expect(expected.filter((videoId) => !seen.has(videoId))).toEqual([]);
        if (isLast) return;
        isLast = isOver;
      }
    })();
    // More batches than a row holds, of one video each and of many.
    await Promise.all(
      writers.map(async (writer, w) => {
        for (let n = 0; n < 160; n++) {
          const videoIds = Array.from({ length: n % 50 === 0 ? 1_500 : 1 }, (_, i) => `v-${w}-${n}-${i}`);
          await writer.append(videoIds);
          for (const videoId of videoIds) acknowledged.add(videoId);
        }
      }),
    );
    isOver = true;
    await reading;
    expect(seen).toEqual(acknowledged);
    expect(await allOf(new SeenVideos(connections[0]!), 1_000)).toHaveLength(acknowledged.size);
    await writers[0]!.append(["one more"]);
    const late = new SeenVideos(connections[0]!);
    await late.append(["from a process that knows no end"]);
    expect((await reader.after(last, 10)).videoIds).toEqual(["one more", "from a process that knows no end"]);
    for (const connection of connections) await connection.close();
  });

  it("are listed from any place on, in any order of places, as a list in memory", async () => {
    const connection = new BigtableConnection(await bigtable.tables());
    const log = new SeenVideos(connection);
    const batches = [3, 1, 1_024, 2, 1].map((size, b) => Array.from({ length: size }, (_, n) => `${b}-${n}`));
    for (const batch of batches) await log.append(batch);
    // A place is a batch's number * 1024 + the number of its videos up to the place.
    const places = batches.flatMap((batch, b) => batch.map((_, n) => b * 1_024 + n + 1));
    const all = batches.flat();
    const someIndex = fc.oneof(fc.constantFrom(0, 3, 4, 5, 1_027, 1_028, 1_030, 1_031), fc.nat(all.length));
    const asked = fc.array(fc.tuple(someIndex, fc.constantFrom(1, 2, 500, 2_000)), { minLength: 1, maxLength: 12 });
    const property = fc.asyncProperty(asked, async (questions) => {
      for (const [index, limit] of questions) {
        const found = await log.after(index === 0 ? 0 : places[index - 1]!, limit);
        expect(found.videoIds).toEqual(all.slice(index, index + limit));
        expect(found.last).toBe([0, ...places][index + found.videoIds.length]);
      }
    });
    await fc.assert(property, { numRuns: 40 });
    await connection.close();
  });

  it("are listed before their first cell is written: where the list cannot be written, no cell is", async () => {
    const config = await bigtable.tables();
    const proxy = await startFaultProxy(bigtable.emulator.host);
    const connection = new BigtableConnection(config);
    const bounds = { attemptTimeoutMs: 300, totalTimeoutMs: 600 };
    const toList = new BigtableConnection({ ...config, ...bounds, emulatorHost: proxy.address });
    const tiers = new TierGuard(new TierStates(connection), () => 0);
    const loader = new RowLoader(connection, "writer");
    const rounds = new CounterRounds(connection, loader, "writer", Date.now, tiers, new SeenVideos(toList), 100);
    const store = new BigtableCounterStore(config);
    const write: CellWrite = {
      ...{ videoId: "a", type: "VIEW", minute: 61, count: 3, sum: 0n, valued: 0, lastMs: 61 * 60_000, received: 3 },
      ...{ correction: 0, onWritten: () => undefined },
    };
    const minutes = () => store.read("a", "VIEW", 0, 7_200_000, "minute");
    proxy.cut();
    await expect(rounds.write([write])).rejects.toThrow(StoreUnavailableError);
    expect([await minutes(), await store.videosSeen(0, 10)]).toEqual([[], { videoIds: [], last: 0 }]);
    proxy.pass();
    await vi.waitFor(() => rounds.write([write]), { interval: 20, timeout: 20_000 });
    expect(await minutes()).toMatchObject([{ count: 3 }]);
    expect(await store.videosSeen(0, 10)).toMatchObject({ videoIds: ["a"] });
    await Promise.all([store.close(), connection.close(), toList.close()]);
    await proxy.stop();
  });

  it("of an earlier program are listed by `viewmill tier`, and refused until then", async () => {
    const config = await bigtable.tables();
    const store = new BigtableCounterStore(config);
    const names = Array.from({ length: 1_300 }, (_, n) => `old-${n}`);
    await store.apply(asMinuteCounts(names.map((name) => cell(61, name, 1))));
    await store.close();
    await forgetIndexes(config);
    const later = new BigtableCounterStore(config);
    await expect(later.videosSeen(0, 10)).rejects.toThrow(/viewmill tier/);
    await later.apply(asMinuteCounts([cell(61, "new", 1), cell(61, "old-1", 2)]));
    expect(await later.completeIndexes()).toBe(true);
    expect(await later.completeIndexes()).toBe(false);
    const { videoIds } = await later.videosSeen(0, 10_000);
    expect(new Set(videoIds)).toEqual(new Set([...names, "new"]));
    await later.close();
  });
});
