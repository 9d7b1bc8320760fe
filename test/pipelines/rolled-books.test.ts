// SPDX-License-Identifier: Apache-2.0
/** The books of minutes whose cells and raw events have left for roll-ups, and that are backfilled before and after. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import { AuditBooks } from "../../pipelines/audit/audit-books";
import { backfill } from "../../pipelines/backfill/backfill";
import type { HourFinding } from "../../transforms/compare-hours";
import { NO_LOSS } from "../../transforms/missing-events";
import { TierHarness } from "./tier-harness";

const FIRST = Date.parse("2026-10-20T00:00:00Z") / MINUTE_MS;
const MINUTES = [FIRST, FIRST + 1];
const COUNTING = { dedupePartitions: 1, videoShards: 1, allowedLatenessMs: -1, followCorrections: true };
const OPTIONS = { allowedLatenessMs: -1, counting: COUNTING, onArchived: () => undefined, onCounted: () => undefined };

type Lines = readonly (readonly [id: number, minute: number])[];

/** The judgement of an id set a minute and of the seen files. */
class Model {
  private readonly files = new Set<string>();
  private readonly archived = new Map<number, number>();
  private readonly rolled = new Map<number, number>();
  private readonly ids = new Map(MINUTES.map((minute) => [minute, new Set<number>()]));

  backfill(lines: Lines): void {
    const name = JSON.stringify(lines);
    if (this.files.has(name)) return;
    this.files.add(name);
    for (const [id, index] of lines) {
      const minute = MINUTES[index]!;
      this.archived.set(minute, (this.archived.get(minute) ?? 0) + 1);
      this.ids.get(minute)!.add(id);
    }
  }

  /** The raw events are deleted: from here on a repeated id cannot be recognised. */
  rollUp(): void {
    for (const [minute, ids] of this.ids) {
      this.rolled.set(minute, (this.rolled.get(minute) ?? 0) + ids.size);
      ids.clear();
    }
  }

  books() {
    return [...this.archived]
      .sort(([a], [b]) => a - b)
      .map(([minute, archived]) => {
        const counted = (this.rolled.get(minute) ?? 0) + this.ids.get(minute)!.size;
        return { minute, archived, counted, duplicate: archived - counted, late: 0 };
      });
  }
}

class Deployment {
  private constructor(readonly harness: TierHarness) {}

  static async open(): Promise<Deployment> {
    const harness = await TierHarness.open();
    // A file written today is past its retention for the roll-ups.
    harness.nowMs = Date.now() + 200 * DAY_MS;
    return new Deployment(harness);
  }

  private get progress() {
    return this.harness.progress;
  }

  async backfill(lines: Lines) {
    const path = join(this.harness.folder, "events.ndjson");
    const text = lines.map(([id, index]) => {
      const eventTime = MINUTES[index]! * MINUTE_MS + id;
      return JSON.stringify({ eventId: `e${id}`, videoId: `v${id % 2}`, eventType: "VIEW", eventTime });
    });
    writeFileSync(path, text.join("\n"));
    const { stores, counters } = this.harness;
    const clock = () => this.harness.nowMs;
    const { report } = await backfill([path], { ...stores, counters, progress: this.progress, clock }, OPTIONS);
    expect(["equal", "repaired"]).toContain(report?.outcome);
  }

  async expectBooks(model: Model): Promise<void> {
    const { stores, nowMs } = this.harness;
    const books = await stores.ledger.books(MINUTES[0]!, MINUTES[1]! + 1);
    expect(
      books.map(({ minute, archived, counted, duplicate, late }) => ({ minute, archived, counted, duplicate, late })),
    ).toEqual(model.books());
    const cells = await this.harness.cells(["v0", "v1"], ["VIEW"], "minute", FIRST * MINUTE_MS, nowMs);
    const counted = Object.values(cells).flatMap((of) => of.map(({ count }) => count));
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(
      model.books().reduce((sum, row) => sum + row.counted, 0),
    );
    expect(await this.progress.completeThroughMs(nowMs)).toBe(nowMs);
  }
}

async function withDeployment(work: (deployment: Deployment, model: Model) => Promise<void>): Promise<void> {
  const deployment = await Deployment.open();
  try {
    await work(deployment, new Model());
  } finally {
    await deployment.harness.close();
  }
}

const REPEATED: Lines = [
  [1, 0],
  [2, 0],
  [1, 0],
  [3, 1],
];

it.each([1, 2, 5])("%i files that are backfilled again after their minutes were rolled up change nothing", (count) =>
  withDeployment(async (deployment, model) => {
    const files = Array.from({ length: count }, (_, n): Lines => [...REPEATED, [10 + n, n % 2]]);
    for (const file of [...files, "roll-up" as const, ...files]) {
      if (file === "roll-up") {
        await deployment.harness.tier();
        model.rollUp();
      } else {
        await deployment.backfill(file);
        model.backfill(file);
      }
    }
    await deployment.expectBooks(model);
  }),
);

it("whatever is backfilled before and after roll-ups, in whatever order: the books say what the counters have", async () => {
  const lines = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat(1)), { minLength: 1, maxLength: 6 });
  const files = fc.array(lines, { minLength: 2, maxLength: 3 });
  const steps = fc.array(
    fc.oneof({ weight: 3, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.constant("roll-up") }),
    {
      minLength: 3,
      maxLength: 6,
    },
  );
  await fc.assert(
    fc.asyncProperty(files, steps, (files, steps) =>
      withDeployment(async (deployment, model) => {
        for (const step of steps) {
          if (step === "roll-up") {
            await deployment.harness.tier();
            model.rollUp();
          } else {
            const lines = files[(step as number) % files.length]!;
            await deployment.backfill(lines);
            model.backfill(lines);
          }
          await deployment.expectBooks(model);
        }
      }),
    ),
    { numRuns: 6 },
  );
});

describe("an audit's books of a rolled minute", () => {
  const counted = {
    ...{ events: 3, distinct: 2, lateCounted: 0, lateDuplicate: 0, backfillCounted: 2, backfillDuplicate: 1 },
  };
  const row = {
    ...{ minute: FIRST, objects: 2, objectsKey: "k", changeSequence: 1, notComparable: "", repeated: 0, missing: 0 },
    ...{ counted, loss: NO_LOSS, wasSettled: true, isUnbalanced: false, isUnlisted: false, gap: "" },
  };
  const settledOf = (more: Partial<HourFinding["minutes"][number]>, finalBeforeMs = Number.MAX_SAFE_INTEGER) => {
    const books = new AuditBooks({ repair: true, allowedLatenessMs: 0, finalBeforeMs });
    const sums = { cellsCompared: 0, cellsDiffering: 0, cellsRepaired: 0, differences: [] };
    const none = { corrected: [], differing: [], unstable: [], notFinal: [], levelsDiffer: false };
    const hour = Math.floor(FIRST / 60);
    books.take([{ hour, videoPart: 0, minutes: [{ ...row, ...more }], ...sums, ...none }]);
    return books;
  };

  it("have what the roll-ups have and what the archive still has; the rest were repeats", () => {
    const books = settledOf({ rolledBooks: { archived: 10, counted: 5 } });
    expect(books.settled()).toEqual([{ minute: FIRST, counted: 7, duplicate: 3, archived: 10 }]);
  });

  it("stay as they are where nothing came after the roll-up, and before the stream is through with it", () => {
    expect(settledOf({ rolledBooks: { archived: 10 } }).settled()).toEqual([]);
    const open = settledOf({ rolledBooks: { archived: 10, counted: 5 } }, FIRST * MINUTE_MS);
    expect(open.settled()).toEqual([]);
  });

  it("keep what was written off: that the raw events are gone is no sign that a lost event has turned up", () => {
    const writtenOff = { minute: FIRST, events: 2, reason: "retention", atMs: 1, auditId: "a" };
    expect(settledOf({ writtenOff, rolledBooks: { archived: 10 } }).turnedUp()).toEqual([]);
    expect(settledOf({ writtenOff }).turnedUp()).toMatchObject([{ events: 0, atMs: 2 }]);
  });
});
