// SPDX-License-Identifier: Apache-2.0
/** Losses that an operator writes off: only what an audit finds missing, and what goes missing later shows again. */
import fc from "fast-check";
import { isBalanced, isCounted } from "../../domain/rules/books";
import { MINUTE_MS } from "../../domain/rules/time";
import { T0 } from "../domain/model";
import { event } from "../transforms/elements";
import { type ClusterMinute, FINAL_MS, MINUTE, withCluster } from "./cluster-minute";

const LATE_MS = FINAL_MS + 3_600_000;

/** Everything that is left is archived and counted; the minute is final. */
async function settle(cluster: ClusterMinute): Promise<void> {
  cluster.nowMs = Math.max(cluster.nowMs, FINAL_MS);
  await cluster.promise();
  await cluster.archiver();
  await cluster.stream(1_000);
}

it("a loss is told by the audit, written off with a reason, and told by audits and ledger from then on", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a"), event("b"), event("c")], T0);
    cluster.lose(2);
    await settle(cluster);
    const before = await cluster.audit();
    expect(before).toMatchObject({ outcome: "not-comparable", losses: [{ minute: MINUTE, events: 2, objects: [] }] });
    const { losses, settled } = await cluster.writeOff("topic retention");
    expect(losses).toMatchObject([{ minute: MINUTE, events: 2, reason: "topic retention" }]);
    expect(settled).toMatchObject({ outcome: "equal", notComparable: [] });
    for (const repair of [false, true]) {
      const after = await cluster.audit(repair);
      expect(after).toMatchObject({ outcome: "equal", writtenOff: [{ events: 2, reason: "topic retention" }] });
      expect(after.losses).toBeUndefined();
    }
    const books = await cluster.books();
    expect(books).toMatchObject({ accepted: 3, archived: 1, counted: 1, duplicate: 0, late: 0, lost: 2 });
    expect(isCounted(books)).toBe(true);
    expect(await cluster.harness.auditedMinutes(T0, T0 + MINUTE_MS)).toEqual([MINUTE]);
  }));

it("events that the stream had counted before they were lost leave the counters and the books with the write-off", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a"), event("b"), event("b"), event("c")], T0);
    await cluster.stream(3);
    cluster.lose(3);
    await settle(cluster);
    expect(await cluster.books()).toMatchObject({ accepted: 4, archived: 1, counted: 3, duplicate: 1, lost: 0 });
    expect((await cluster.writeOff()).settled).toMatchObject({ outcome: "repaired" });
    await cluster.expectTruth();
    expect(await cluster.books()).toMatchObject({
      accepted: 4,
      archived: 1,
      counted: 1,
      duplicate: 0,
      late: 0,
      lost: 3,
    });
    await cluster.stream(1_000);
    await cluster.expectTruth();
    expect(await cluster.audit(false)).toMatchObject({ outcome: "equal" });
  }));

it("events that go missing after a write-off show again, and can be written off, too", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a"), event("b")], T0);
    cluster.lose(1);
    await settle(cluster);
    await cluster.writeOff("the first");
    cluster.receive([event("c"), event("d")], LATE_MS);
    cluster.lose(1);
    await settle(cluster);
    expect(await cluster.audit()).toMatchObject({
      outcome: "not-comparable",
      losses: [{ events: 1 }],
      writtenOff: [{ events: 1, reason: "the first" }],
      notComparable: [{ reason: "4 events accepted, 2 in the archive, 1 written off" }],
    });
    expect(isBalanced(await cluster.books())).toBe(false);
    expect((await cluster.writeOff("the second")).losses).toMatchObject([{ events: 2, reason: "the second" }]);
    expect(await cluster.books()).toMatchObject({ accepted: 4, archived: 2, counted: 2, late: 0, lost: 2 });
    await cluster.expectTruth();
  }));

it("a written-off event that turns up is lost no longer, and hides no later loss", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a"), event("b")], T0);
    cluster.lose(1);
    await settle(cluster);
    await cluster.writeOff();
    await cluster.harness.archive([event("a")], T0, 1);
    expect(await cluster.books()).toMatchObject({ accepted: 2, archived: 2, lost: 0 });
    expect((await cluster.audit()).writtenOff).toBeUndefined();
    expect((await cluster.books()).writtenOff).toMatchObject({ events: 0 });
    cluster.receive([event("c")], LATE_MS);
    cluster.lose(1);
    await settle(cluster);
    expect(await cluster.audit()).toMatchObject({ outcome: "not-comparable", losses: [{ events: 1 }] });
  }));

it(
  "nothing is written off that may still come: the archiver is away, or the stream is not through with the minute",
  () =>
    withCluster(async (cluster) => {
      cluster.receive([event("a"), event("b")], T0);
      cluster.lose(1);
      await cluster.promise();
      await cluster.archiver();
      await cluster.stream(9);
      const early = await cluster.writeOff();
      expect(early).toMatchObject({ losses: [], found: { outcome: "not-comparable" } });
      expect(early.found.losses).toBeUndefined();
      // The minute is final by now, but the archiver has not spoken since before the events were accepted.
      cluster.nowMs = LATE_MS;
      const silent = await cluster.writeOff();
      expect(silent).toMatchObject({ losses: [], found: { outcome: "not-comparable" } });
      expect(await cluster.books()).toMatchObject({ lost: 0 });
    }),
  120_000,
);

it("where nothing is missing nothing is written off", () =>
  withCluster(async (cluster) => {
    cluster.receive([event("a")], T0);
    await settle(cluster);
    const { losses, settled, found } = await cluster.writeOff();
    expect({ losses, settled, outcome: found.outcome }).toEqual({ losses: [], settled: undefined, outcome: "equal" });
  }));

it("an object that somebody took out of the archive is a loss of what the log had accepted", () =>
  withCluster(async (cluster) => {
    const { harness } = cluster;
    cluster.receive([event("c")], T0);
    await settle(cluster);
    const name = await harness.archive([event("a"), event("b")], T0, 2);
    await harness.remove(name);
    const { losses, found, settled } = await cluster.writeOff("taken away");
    expect(found).toMatchObject({
      outcome: "not-comparable",
      losses: [{ minute: MINUTE, events: 2, objects: [name] }],
    });
    expect(losses).toMatchObject([{ events: 2 }]);
    expect(settled).toMatchObject({ outcome: "equal", writtenOff: [{ events: 2, reason: "taken away" }] });
    expect(await cluster.books()).toMatchObject({ accepted: 3, archived: 1, lost: 2, counted: 1, duplicate: 0 });
  }));

type Step = { do: "receive" | "late" | "lose" | "stream"; n: number } | { do: "archive" | "audit" | "write-off" };
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom("receive", "late", "lose", "stream" as const), n: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constantFrom("archive", "archive", "audit", "write-off" as const) }),
  ),
  { minLength: 3, maxLength: 16 },
);

it("whatever is lost, whenever: the books say what is lost, the counters have what is not, and no loss is hidden", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      await withCluster(async (cluster) => {
        let made = 0;
        for (const one of all) {
          if (one.do === "receive" || one.do === "late") {
            const events = Array.from({ length: one.n }, () => event(`e${made++ % 7}`));
            const isInTime = one.do === "receive" && cluster.nowMs < FINAL_MS;
            cluster.receive(events, isInTime ? cluster.nowMs : Math.max(LATE_MS, cluster.nowMs));
          } else if (one.do === "lose") cluster.lose(one.n);
          else if (one.do === "stream") await cluster.stream(one.n);
          else if (one.do === "archive") {
            await cluster.promise();
            await cluster.archiver();
          } else if (one.do === "audit") await cluster.audit();
          else {
            await settle(cluster);
            const { losses } = await cluster.writeOff();
            const { accepted, archived, lost } = await cluster
              .books()
              .catch(() => ({ accepted: 0, archived: 0, lost: 0 }));
            expect(lost).toBe(accepted - archived);
            if (losses.length > 0) expect(losses[0]!.events).toBe(cluster.lost);
          }
        }
        if (cluster.log.length === 0) return;
        await settle(cluster);
        const known = (await cluster.books()).writtenOff?.events ?? 0;
        const found = await cluster.audit();
        expect((found.losses ?? []).reduce((sum, { events }) => sum + events, 0)).toBe(cluster.lost - known);
        await cluster.writeOff();
        await cluster.expectTruth();
        const books = await cluster.books();
        expect(books).toMatchObject({ accepted: cluster.log.length, lost: cluster.lost, late: 0 });
        expect(isCounted(books)).toBe(true);
        expect(await cluster.audit(false)).toMatchObject({ outcome: "equal", notComparable: [] });
      });
    }),
    { numRuns: 8 },
  );
}, 240_000);
