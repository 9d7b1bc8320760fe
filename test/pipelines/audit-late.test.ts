// SPDX-License-Identifier: Apache-2.0
/**
 * Late events, backfills and audits beside a stream that sets late events aside, as on a cluster: over real stores,
 * against a model of Sets.
 */
import fc from "fast-check";
import type { VideoEvent } from "../../domain/event";
import { isCounted } from "../../domain/rules/books";
import { MINUTE_MS } from "../../domain/rules/time";
import { T0 } from "../domain/model";
import { event } from "../transforms/elements";
import { type ClusterMinute, FINAL_MS, MINUTE, withCluster } from "./cluster-minute";

const LATE_MS = T0 + 2 * 3_600_000;

it("an event that is received late is counted by the next audit, and the books move from late to counted", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a"), event("b")], T0);
    cluster.receive([event("late"), event("late"), event("a")], LATE_MS);
    await cluster.archiver();
    await cluster.stream(9);
    expect(await cluster.books()).toMatchObject({ accepted: 5, archived: 5, counted: 2, duplicate: 0, late: 3 });
    expect(await cluster.audit(false)).toMatchObject({ outcome: "differences", lateEvents: 3 });
    expect(await cluster.books()).toMatchObject({ counted: 2, late: 3 });
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired", lateEvents: 3 });
    await cluster.expectTruth();
    expect(await cluster.books()).toMatchObject({ archived: 5, counted: 3, duplicate: 2, late: 0 });
    const [cell] = await cluster.harness.stores.counters.read("v", "VIEW", T0, T0 + MINUTE_MS, "minute");
    expect(cell).toMatchObject({ count: 3, revision: 1 });
    // More events of the same kind: those received since then wait.
    cluster.receive([event("later")], LATE_MS + 3_600_000);
    await cluster.archiver();
    await cluster.stream(1);
    expect(await cluster.books()).toMatchObject({ archived: 6, counted: 3, duplicate: 2, late: 1 });
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired" });
    expect(await cluster.books()).toMatchObject({ archived: 6, counted: 4, duplicate: 2, late: 0 });
    await cluster.expectTruth();
  }));

it("audits of one process at the same time look each at their own stores", () =>
  withCluster((first) =>
    withCluster(async (second) => {
      first.receive([event("a")], T0);
      second.receive([event("b"), event("c")], T0);
      for (const cluster of [first, second]) {
        await cluster.archiver();
        await cluster.stream(9);
      }
      const reports = await Promise.all([first, second, first].map((cluster) => cluster.audit(false)));
      expect(reports.map(({ outcome, events }) => [outcome, events])).toEqual([
        ["equal", 1],
        ["equal", 2],
        ["equal", 1],
      ]);
    }),
  ));

it("a late repeat of an event that came in time is one event, and no cell differs", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a")], T0);
    cluster.receive([event("a")], LATE_MS);
    await cluster.archiver();
    await cluster.stream(2);
    expect(await cluster.audit()).toMatchObject({ outcome: "equal", lateEvents: 1 });
    expect(await cluster.books()).toMatchObject({ counted: 1, duplicate: 1, late: 0 });
  }));

it("a job that was away for hours counts nothing twice and undoes no correction when it comes back", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a"), event("b"), event("b")], T0);
    cluster.receive([event("late")], LATE_MS);
    await cluster.archiver();
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired" });
    await cluster.expectTruth();
    expect(await cluster.books()).toMatchObject({ archived: 4, counted: 3, duplicate: 1, late: 0 });
    for (let n = 0; n < 4; n++) {
      await cluster.stream(1);
      await cluster.expectTruth();
    }
    expect(await cluster.books()).toMatchObject({ archived: 4, counted: 3, duplicate: 1, late: 0 });
    expect(await cluster.audit()).toMatchObject({ outcome: "equal" });
  }));

it("while the archiver is behind the stream nothing is corrected and nothing is called equal", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a")], T0);
    await cluster.archiver();
    cluster.receive([event("b")], T0 + MINUTE_MS);
    await cluster.stream(2);
    cluster.nowMs = LATE_MS;
    const { outcome, notComparable } = await cluster.audit();
    expect({ outcome, notComparable }).toEqual({
      outcome: "not-comparable",
      notComparable: [{ minute: MINUTE, reason: "cells differ, and the stream may still count events of the minute" }],
    });
    await cluster.expectTruth();
    expect(await cluster.harness.auditedMinutes(T0, T0 + MINUTE_MS)).toEqual([]);
    await cluster.archiver();
    expect(await cluster.audit()).toMatchObject({ outcome: "equal" });
    expect(await cluster.harness.auditedMinutes(T0, T0 + MINUTE_MS)).toEqual([MINUTE]);
  }));

it("backfilled events are counted by the audit, once with what the log has, and the books balance", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a"), event("b")], T0);
    await cluster.archiver();
    await cluster.stream(2);
    await cluster.backfill([event("b"), event("old"), event("old"), event("older")]);
    cluster.nowMs = LATE_MS;
    await cluster.archiver();
    expect(await cluster.books()).toMatchObject({ archived: 6, counted: 2, duplicate: 0 });
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired" });
    await cluster.expectTruth();
    expect(await cluster.books()).toMatchObject({ archived: 6, counted: 4, duplicate: 2, late: 0 });
  }));

it("backfilled events that an earlier release booked twice are in the books once after the next audit", () =>
  withCluster(async (cluster) => {
    const { ledger } = cluster.harness.stores;
    cluster.receive([event("a"), event("b")], T0);
    await cluster.archiver();
    await cluster.backfill([event("b"), event("old"), event("old")]);
    cluster.nowMs = LATE_MS;
    await cluster.archiver();
    // The backfill of before counted through the stream's graph, and so in the stream's parts; its audits had a part of
    // their own.
    await ledger.writeRows([
      { minute: MINUTE, part: 0, received: 5, counted: 3, duplicate: 2, late: 0, reusedIds: 0 },
      { minute: MINUTE, part: -1, received: 3, counted: 1, duplicate: 2, late: 0, reusedIds: 0 },
    ]);
    expect(await cluster.books()).toMatchObject({ archived: 5, counted: 4, duplicate: 4 });
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired" });
    expect(await cluster.books()).toMatchObject({ accepted: 5, archived: 5, counted: 3, duplicate: 2, late: 0 });
    await cluster.expectTruth();
  }));

it("an event of an instance whose clock is behind waits for the next audit where a correction was first, and nothing says it is counted", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a")], T0);
    cluster.receive([event("late")], LATE_MS);
    await cluster.archiver();
    await cluster.stream(9);
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired" });
    // Received now, by a clock of two hours ago: the stream takes the event for one in time, and its write loses
    // against the correction.
    cluster.receive([event("b")], T0);
    await cluster.archiver();
    await cluster.stream(9);
    expect(await cluster.books()).toMatchObject({ archived: 3, counted: 2, late: 1 });
    expect(isCounted(await cluster.books())).toBe(false);
    expect(await cluster.audit()).toMatchObject({ outcome: "repaired" });
    await cluster.expectTruth();
    expect(await cluster.books()).toMatchObject({ archived: 3, counted: 3, late: 0 });
  }));

const someEvents = fc.array(
  fc
    .record({ id: fc.nat({ max: 6 }), video: fc.nat({ max: 1 }), value: fc.option(fc.integer({ min: -9, max: 9 })) })
    .map(({ id, video, value }) => event(`e${id}`, { videoId: `v${video}`, ...(value === null ? {} : { value }) })),
  { minLength: 1, maxLength: 4 },
);
type Step =
  | { kind: "receive" | "late" | "backfill"; events: VideoEvent[] }
  | { kind: "archive" | "audit" | "look" }
  | { kind: "stream" | "restart"; count: number };
const schedule: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: someEvents.map((events): Step => ({ kind: "receive", events })) },
    { weight: 3, arbitrary: someEvents.map((events): Step => ({ kind: "late", events })) },
    { weight: 1, arbitrary: someEvents.map((events): Step => ({ kind: "backfill", events })) },
    { weight: 3, arbitrary: fc.constantFrom<Step>({ kind: "archive" }, { kind: "audit" }, { kind: "look" }) },
    { weight: 4, arbitrary: fc.nat({ max: 5 }).map((count): Step => ({ kind: "stream", count })) },
    { weight: 1, arbitrary: fc.nat({ max: 5 }).map((count): Step => ({ kind: "restart", count })) },
  ),
  { maxLength: 14 },
);

async function step(cluster: ClusterMinute, one: Step): Promise<void> {
  switch (one.kind) {
    case "receive":
      // In time, while the time lasts: the log's order is that of receipt.
      return cluster.receive(one.events, cluster.nowMs);
    case "late":
      return cluster.receive(one.events, Math.max(LATE_MS, cluster.nowMs));
    case "backfill":
      return cluster.backfill(one.events);
    case "archive":
      return cluster.archiver();
    case "stream":
      return cluster.stream(one.count);
    case "restart":
      return cluster.restart(one.count);
    case "look":
      return void (await cluster.audit(false));
    case "audit": {
      const { outcome } = await cluster.audit();
      const isArchived = outcome !== "not-comparable";
      if (isArchived) expect(outcome === "equal" || outcome === "repaired").toBe(true);
    }
  }
}

it("whatever the order of receipt, archiver, stream, restart and audits: never more than was accepted, and all of it in the end", async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async (steps) => {
      await withCluster(async (cluster) => {
        for (const one of steps) {
          await step(cluster, one);
          const truth = cluster.truth;
          for (const [name, { count }] of await cluster.stored()) {
            expect(count).toBeLessThanOrEqual(truth.get(name)?.count ?? 0);
          }
        }
        if (cluster.log.length + cluster.backfilled.length === 0) return;
        cluster.nowMs = Math.max(cluster.nowMs, FINAL_MS);
        await cluster.archiver();
        await cluster.stream(1_000);
        const last = await cluster.audit();
        expect(["equal", "repaired"]).toContain(last.outcome);
        await cluster.expectTruth();
        // The stream fires again, from the start: nothing moves.
        cluster.restart(1_000);
        await cluster.stream(1_000);
        await cluster.expectTruth();
        const books = await cluster.books();
        const events = cluster.log.length + cluster.backfilled.length;
        expect(books).toMatchObject({ archived: events, late: 0 });
        expect(books.counted + books.duplicate).toBe(events);
        expect(await cluster.audit()).toMatchObject({ outcome: "equal" });
      });
    }),
    { numRuns: 25 },
  );
}, 240_000);
