// SPDX-License-Identifier: Apache-2.0
import { status } from "@grpc/grpc-js";
import { BigtableCounterStore } from "../../../io/bigtable/counter-store";
import { failureKind, withRetries } from "../../../io/bigtable/errors";
import { BigtableLedger } from "../../../io/bigtable/ledger";
import { createTables } from "../../../io/bigtable/tables";
import { StoreUnavailableError } from "../../../io/ports";
import { type FaultProxy, startFaultProxy } from "../../../servers/fault-proxy";
import { describeWithServers } from "../../servers/with-servers";
import { seeded } from "../ports/condition";
import { asMinuteCounts, CounterModel, type ModelCell, modelLevels, storedLevels } from "../ports/counter-model";
import { cell } from "../ports/counter-store-contract";
import { faultRounds } from "../ports/fault-schedule";
import { withBigtable } from "./bigtable-server";
import { rankRule } from "./rank-rule";
import { batchesOf } from "./shared-rows";

const WAIT = { interval: 20, timeout: 20_000 };

describeWithServers("Bigtable behind a failing network", ["bigtable"], () => {
  const bigtable = withBigtable();
  let proxy: FaultProxy;
  beforeEach(async () => {
    proxy = await startFaultProxy(bigtable.emulator.host);
  });
  afterEach(() => proxy.stop());

  it("takes a write whose answers are lost to an end that is right", async () => {
    const config = await bigtable.tables(proxy.address);
    // Minutes of that time cannot have left for roll-ups, so nothing is read before the write.
    const store = new BigtableCounterStore({ ...config, attemptTimeoutMs: 500, clock: () => 0 });
    const direct = new BigtableCounterStore({ ...config, emulatorHost: bigtable.emulator.host });
    await store.apply(asMinuteCounts([cell(61, "a", 1)]));
    // Known rows are written at once: the first request is the write itself.
    proxy.swallowAnswers(true);
    const applied = store.apply(asMinuteCounts([cell(61, "a", 2), cell(62, "a", 5)]));
    await vi.waitFor(async () => {
      expect(await direct.read("a", "VIEW", 0, 7_200_000, "minute")).toHaveLength(2);
    }, WAIT);
    expect((await direct.totals("a")).get("VIEW")?.count).toBe(1);
    proxy.pass();
    expect(await applied).toEqual({ written: 2, unchanged: 0 });
    expect((await direct.totals("a")).get("VIEW")?.count).toBe(7);
    await Promise.all([store.close(), direct.close()]);
  });

  it("is exact after connections were cut, delayed and robbed of answers all the while", {
    timeout: 120_000,
  }, async () => {
    const seed = Number(process.env.VIEWMILL_TEST_SEED ?? Date.now() % 1_000_000);
    const config = await bigtable.tables(proxy.address);
    const direct = { ...config, emulatorHost: bigtable.emulator.host };
    const store = new BigtableCounterStore({ ...config, attemptTimeoutMs: 400, totalTimeoutMs: 60_000 });
    const model = new CounterModel();
    let ended = false;
    let applied = 0;
    const faults = faultRounds(Number.POSITIVE_INFINITY, {
      proxy,
      random: seeded(seed),
      succeeded: () => applied,
      mostSuccesses: 3,
      over: () => ended,
    });
    const batches = batchesOf(seed, 0, 8);
    // The writer repeats a write whose outcome stays unknown.
    const apply = async (batch: ModelCell[]): Promise<void> => {
      for (;;) {
        try {
          await store.apply(asMinuteCounts(batch));
          applied++;
          return;
        } catch (error) {
          expect(error).toBeInstanceOf(StoreUnavailableError);
        }
      }
    };
    for (let from = 0; from < batches.length; from += 5) {
      const together = batches.slice(from, from + 5);
      for (const batch of together) model.apply(batch);
      const applying = Promise.all(together.map(apply));
      // At no moment a cell is ahead of its entry in the ranking index.
      if (from % 20 === 0) expect((await rankRule(direct)).missing, `seed ${seed}`).toEqual([]);
      await applying;
    }
    ended = true;
    await faults;
    const other = new BigtableCounterStore(direct);
    expect(await storedLevels(other), `seed ${seed}`).toEqual(modelLevels(model));
    expect((await rankRule(direct)).missing, `seed ${seed}`).toEqual([]);
    await Promise.all([store.close(), other.close()]);
  });

  it("says within its bound that it cannot be reached, and works again when it can", async () => {
    const config = await bigtable.tables(proxy.address);
    const bounded = { ...config, attemptTimeoutMs: 300, totalTimeoutMs: 1_000 };
    const store = new BigtableCounterStore(bounded);
    const ledger = new BigtableLedger(bounded);
    await store.apply(asMinuteCounts([cell(61, "a", 1)]));
    proxy.cut();
    const start = performance.now();
    await Promise.all([
      expect(store.apply(asMinuteCounts([cell(61, "a", 2)]))).rejects.toThrow(StoreUnavailableError),
      expect(store.totals("a")).rejects.toThrow(StoreUnavailableError),
      expect(ledger.addObjects([], [5])).rejects.toThrow(StoreUnavailableError),
    ]);
    expect(performance.now() - start).toBeLessThan(10_000);
    proxy.pass();
    await vi.waitFor(() => store.apply(asMinuteCounts([cell(61, "a", 2)])), WAIT);
    await vi.waitFor(() => ledger.addObjects([], [5]), WAIT);
    expect((await store.totals("a")).get("VIEW")?.count).toBe(2);
    expect((await ledger.changeSequences(0, 10)).get(5)).toBeGreaterThan(0);
    await Promise.all([store.close(), ledger.close()]);
  });

  it("names the missing tables when an emulator has forgotten them, and believes nothing it knew before", async () => {
    const config = await bigtable.tables();
    const store = new BigtableCounterStore(config);
    await store.apply(asMinuteCounts([cell(61, "a", 1), cell(61, "b", 1)]));
    await bigtable.emulator.restart();
    await vi.waitFor(async () => {
      await expect(store.apply(asMinuteCounts([cell(61, "a", 2)]))).rejects.toThrow(
        /viewmill bigtable init makes the tables/,
      );
    }, WAIT);
    expect((await createTables(config)).map(({ outcome }) => outcome)).toEqual(["created", "created", "created"]);
    expect((await createTables(config)).map(({ outcome }) => outcome)).toEqual(["exists", "exists", "exists"]);
    await store.apply(asMinuteCounts([cell(61, "a", 2), cell(62, "a", 1)]));
    expect((await store.totals("a")).get("VIEW")?.count).toBe(3);
    expect(await store.videosSeen(0, 10)).toMatchObject({ videoIds: ["a"] });
    await store.close();
  });

  it("refuses what a version cannot hold, and writes nothing of that call", async () => {
    const store = new BigtableCounterStore(await bigtable.tables());
    const good = cell(61, "a", 1);
    for (const bad of [cell(61, "b", 2 ** 29), cell(61, "b", 1, { correction: 2 ** 24 }), cell(-2e10, "b", 1)]) {
      await expect(store.apply(asMinuteCounts([good, bad]))).rejects.toThrow(RangeError);
    }
    expect(await store.totals("a")).toEqual(new Map());
    await store.close();
  });
});

describe("a failed call to Bigtable", () => {
  const failure = (code: number, details = "") => ({ code, details });

  it("is tried again, given up, or its caller's fault, by its code", () => {
    const kinds = Object.fromEntries(
      Object.entries(status)
        .filter(([, code]) => typeof code === "number")
        .map(([name, code]) => [name, failureKind(failure(code as number))]),
    );
    expect(kinds).toMatchObject({
      UNAVAILABLE: "again",
      DEADLINE_EXCEEDED: "again",
      ABORTED: "again",
      RESOURCE_EXHAUSTED: "again",
      INTERNAL: "again",
      CANCELLED: "again",
      UNKNOWN: "again",
      INVALID_ARGUMENT: "caller",
      OUT_OF_RANGE: "caller",
      NOT_FOUND: "stop",
      PERMISSION_DENIED: "stop",
      UNAUTHENTICATED: "stop",
      FAILED_PRECONDITION: "stop",
      UNIMPLEMENTED: "stop",
    });
    expect(failureKind(failure(status.INTERNAL, 'unknown family "m"'))).toBe("stop");
  });

  it("is tried again until the time is over, and not at all when that cannot help", async () => {
    let attempts = 0;
    const times = { attemptTimeoutMs: 50, totalTimeoutMs: 200 };
    const failing = (code: number) =>
      withRetries("reading", times, async () => {
        attempts++;
        throw failure(code);
      });
    await expect(failing(status.UNAVAILABLE)).rejects.toThrow(StoreUnavailableError);
    expect(attempts).toBeGreaterThan(1);
    attempts = 0;
    await expect(failing(status.NOT_FOUND)).rejects.toThrow(StoreUnavailableError);
    await expect(failing(status.PERMISSION_DENIED)).rejects.toThrow(StoreUnavailableError);
    await expect(failing(status.INVALID_ARGUMENT)).rejects.toThrow(RangeError);
    expect(attempts).toBe(3);
  });
});
