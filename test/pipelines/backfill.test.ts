// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { minuteOf } from "../../domain/event";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import { archiveFile } from "../../pipelines/backfill/archive-file";
import { type BackfillDependencies, backfill } from "../../pipelines/backfill/backfill";
import { T0 } from "../domain/model";
import { openStores, type Stores } from "../system/golden/embedded-runner";
import { storedCells } from "../system/golden/outcome";

const NOW = T0 + 400 * 86_400_000;
const OPTIONS = {
  counting: { dedupePartitions: 1, videoShards: 1, allowedLatenessMs: -1, followCorrections: true },
  allowedLatenessMs: -1,
  onArchived: () => undefined,
  onCounted: () => undefined,
};

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-backfill-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (id: string, minute: number, more = "") =>
  `{"eventId":"${id}","videoId":"v","eventType":"VIEW","eventTime":${T0 + minute * 60_000}${more}}`;

function file(content: string | Buffer, name = "events.ndjson"): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function withStores<T>(name: string, work: (stores: Stores) => Promise<T>): Promise<T> {
  const stores = await openStores(join(folder, name));
  try {
    return await work(stores);
  } finally {
    await stores.close();
  }
}

const depsOf = (stores: Stores): BackfillDependencies => ({
  ...stores,
  progress: new SqliteLogProgress(stores.log, stores.ledger, stores.ledger),
  clock: () => NOW,
});

const letters = async (stores: Stores) =>
  (await stores.deadLetters.list({ limit: 1000 })).map(({ reason, detail }) => `${reason} ${detail.split(":")[1]}`);

test("lines are read as the write API reads them, and a bad one ends nothing: its number is that of the file", async () => {
  const content = [
    `\ufeff${line("first", 0)}`,
    "",
    "{oops",
    `${line("crlf", 0)}\r`,
    line("deep", 0, `,"note":${"[".repeat(20_000)}${"]".repeat(20_000)}`),
    " \t",
    line("long", 0, `,"note":"${"x".repeat(3 << 20)}"`),
    line("fraction", 0, ',"value":4.9999999999999999'),
    "\xff\xfe",
    '{"eventId":"untimed","videoId":"v","eventType":"VIEW"}',
    '{"specversion":"1.0","id":"cloud","source":"/s","subject":"v","type":"VIEW","time":"2001-01-01T00:00:00Z"}',
    line("last", 1),
  ].join("\n");
  const path = file(Buffer.from(content, "latin1"));
  writeFileSync(path, Buffer.concat([Buffer.from("\ufeff"), Buffer.from(content.slice(1), "latin1")]));
  await withStores("one", async (stores) => {
    const result = await backfill([path], depsOf(stores), OPTIONS);
    expect(result).toMatchObject({ accepted: 4, rejected: 6, report: { outcome: "equal" } });
    expect(await letters(stores)).toEqual([
      "not-json 3",
      "too-large 5",
      "too-large 7",
      "bad-value 8",
      "not-json 9",
      "missing-field 10",
    ]);
    const [long] = (await stores.deadLetters.list({ limit: 1000 })).filter(({ detail }) => detail.includes(":7:"));
    expect(long!.payload.byteLength).toBeGreaterThan(3 << 20);
  });
});

test("a line that no request could hold is rejected with its beginning, and the next one is read", async () => {
  const path = file(`${line("a", 0)}\n${"x".repeat(20_000)}\n${line("b", 0)}\n${"y".repeat(90_000)}`);
  await withStores("one", async (stores) => {
    const limits = { maxBodyBytes: 10_000, maxMessageBytes: 10_000, maxEvents: 10, maxEventBytes: 1_000 };
    const result = await archiveFile(path, { ...depsOf(stores), limits }, () => undefined);
    expect(result).toMatchObject({ accepted: 2, rejected: 2 });
    expect(await letters(stores)).toEqual(["too-large 2", "too-large 4"]);
  });
});

/** The ports, which all fail from the nth write on, as those of a process that is killed there. */
function killedAt(deps: BackfillDependencies, step: number): BackfillDependencies & { steps: () => number } {
  let steps = 0;
  const writes = /^(append|addObjects|write|writeLedger|apply|correct|markAudited|settleLate|addAudit|rebuild)$/;
  const killed = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        if (!writes.test(String(name))) return member.bind(target) as unknown;
        return async (...args: unknown[]) => {
          if (++steps >= step) throw new Error("killed");
          return member.apply(target, args) as unknown;
        };
      },
    });
  return {
    ...deps,
    archive: killed(deps.archive),
    ledger: killed(deps.ledger),
    deadLetters: killed(deps.deadLetters),
    counters: killed(deps.counters),
    steps: () => steps,
  };
}

const books = async (stores: Stores) =>
  (await stores.ledger.books(0, minuteOf(NOW))).map(({ minute, archived, counted, duplicate }) => ({
    minute,
    archived,
    counted,
    duplicate,
  }));

test("stopped at any step it claims nothing, and the next run finishes it", async () => {
  const lines = [line("a", 0), line("a", 0), "{oops", line("b", 1, ',"value":7'), line("c", 180)];
  const path = file(lines.join("\n"));
  const whole = await withStores("whole", async (stores) => {
    const deps = killedAt(depsOf(stores), Number.POSITIVE_INFINITY);
    const { report } = await backfill([path], deps, OPTIONS);
    expect(report?.outcome).toBe("equal");
    expect(await deps.progress.completeThroughMs(NOW)).toBe(NOW);
    return { steps: deps.steps(), cells: await storedCells(stores.counters), books: await books(stores) };
  });
  expect(whole.steps).toBeGreaterThan(6);
  for (let step = 1; step <= whole.steps; step++) {
    await withStores(`step-${step}`, async (stores) => {
      const deps = depsOf(stores);
      await expect(backfill([path], killedAt(deps, step), OPTIONS)).rejects.toThrow();
      const cells = await storedCells(stores.counters);
      const stored = (await stores.archive.list(0, minuteOf(NOW))).length;
      const isCounted = JSON.stringify([...cells.minutes.keys()]) === JSON.stringify([...whole.cells.minutes.keys()]);
      if (stored > 0 && !isCounted) {
        expect(await deps.progress.completeThroughMs(Date.now() + 60_000)).toBeLessThan(Date.now() + 60_000);
        expect((await books(stores)).some((row) => row.archived !== row.counted + row.duplicate)).toBe(true);
      }
      const again = await backfill([path], deps, OPTIONS);
      expect(again).toMatchObject({ accepted: 4, rejected: 1, minutes: 3 });
      expect(await storedCells(stores.counters)).toEqual(whole.cells);
      expect(await books(stores)).toEqual(whole.books);
      expect(await deps.progress.completeThroughMs(NOW)).toBe(NOW);
      // A letter may be there twice where the run was stopped right behind it, and no more often.
      expect(new Set(await letters(stores))).toEqual(new Set(["not-json 3"]));
      expect((await letters(stores)).length).toBeLessThanOrEqual(2);
    });
  }
});

test("a run that was stopped is finished by one of the mended file, whose objects have other names", async () => {
  const broken = file([line("a", 0), "{oops", line("b", 1)].join("\n"));
  const mended = file([line("a", 0), line("x", 0), line("b", 1)].join("\n"), "mended.ndjson");
  // Dead letters, the listing, two objects: the later steps are the same as for the same file.
  for (let step = 1; step <= 5; step++) {
    await withStores(`step-${step}`, async (stores) => {
      const deps = depsOf(stores);
      await expect(backfill([broken], killedAt(deps, step), OPTIONS)).rejects.toThrow();
      expect((await backfill([mended], deps, OPTIONS)).report).toMatchObject({ outcome: "equal" });
      for (const row of await books(stores)) expect(row.archived).toBe(row.counted + row.duplicate);
      expect((await books(stores)).map(({ counted }) => counted)).toEqual([2, 1]);
      expect(await deps.progress.completeThroughMs(NOW)).toBe(NOW);
    });
  }
});

test("backfilling the same file again changes nothing, its dead letters neither", async () => {
  const path = file([line("a", 0), "{oops", line("b", 1)].join("\n"));
  await withStores("one", async (stores) => {
    await backfill([path], depsOf(stores), OPTIONS);
    const before = [await storedCells(stores.counters), await books(stores), await letters(stores)];
    await backfill([path], depsOf(stores), OPTIONS);
    expect([await storedCells(stores.counters), await books(stores), await letters(stores)]).toEqual(before);
  });
});
