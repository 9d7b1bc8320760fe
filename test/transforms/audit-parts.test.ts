// SPDX-License-Identifier: Apache-2.0
/** The parts of the audit, each by itself: tables of bytes and cells, books of parts, levels, reused ids, reads. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { NO_SUMS } from "../../domain/rules/cell-sums";
import { cellKey } from "../../domain/rules/reconcile";
import { instant } from "../../engine";
import type { LevelSums } from "../../io/ports";
import { SqliteLogProgress } from "../../io/sqlite/log-progress";
import type { ArchiveRow } from "../../transforms/archive-rows";
import { type AuditUnit, type RecountBooks, unitKey, unitOf } from "../../transforms/audit-elements";
import { ByteTable, hashOf } from "../../transforms/byte-table";
import { cellColumns, decodeCells, encodeCells, type RecountedCell } from "../../transforms/cell-columns";
import { differencesOf } from "../../transforms/compare-levels";
import { MAX_EXAMPLES, reusedIn } from "../../transforms/find-reused-ids";
import { HourReads } from "../../transforms/hour-reads";
import { PayloadToMessage, RecordToMessage } from "../../transforms/messages-of-log";
import type { Recount } from "../../transforms/minute-recount";
import { verdictOf } from "../../transforms/minute-verdict";
import { CellSums, cellsByPart, PairTable } from "../../transforms/recounted-cells";
import { openStores } from "../system/golden/embedded-runner";

describe("a table of bytes", () => {
  const texts = fc.array(fc.oneof(fc.constantFrom("", "a", "b", "aa", "ab", "aaaa", "aaab"), fc.string()), {
    maxLength: 200,
  });

  test("numbers texts in the order in which they first come, whatever the seed and its first size", () => {
    fc.assert(
      fc.property(texts, fc.integer(), fc.constantFrom(1, 2, 16, 1_024), (all, seed, size) => {
        const table = new ByteTable(seed, size);
        const model = new Map<string, number>();
        for (const text of all) {
          const padded = Buffer.from(`<<${text}>>`);
          if (!model.has(text)) model.set(text, model.size);
          expect(table.numberOf(padded, 2, padded.length - 2)).toBe(model.get(text));
        }
        expect(table.size).toBe(model.size);
        for (const [text, number] of model) {
          expect(table.text(number)).toBe(Buffer.from(text).toString());
          expect(table.hashOf(number, 7)).toBe(hashOf(Buffer.from(text), 0, Buffer.byteLength(text), 7));
        }
      }),
    );
  });

  test("hashes every byte, its place and the length, with the seed", () => {
    const bytes = Buffer.from("0123456789abc");
    const hashes = new Set<number>();
    for (let to = 0; to <= bytes.length; to++) hashes.add(hashOf(bytes, 0, to, 1));
    for (let seed = 2; seed < 10; seed++) hashes.add(hashOf(bytes, 0, bytes.length, seed));
    for (let at = 0; at < bytes.length; at++) {
      const other = Buffer.from(bytes);
      other[at]! ^= 0x80;
      hashes.add(hashOf(other, 0, other.length, 1));
    }
    expect(hashes.size).toBe(14 + 8 + 13);
    expect(hashOf(bytes, 3, 9, 1)).toBe(hashOf(bytes.subarray(3, 9), 0, 6, 1));
    for (const hash of hashes) expect(hash).toBe(hash | 0);
  });
});

/** A row whose names are these; the table reads nothing else of it. */
function rowOf(video: string, type: string): ArchiveRow {
  const bytes = Buffer.from(`${video}${type}`);
  const [videoTo, typeTo] = [Buffer.byteLength(video), bytes.length];
  return { bytes, videoFrom: 0, videoTo, typeFrom: videoTo, typeTo } as ArchiveRow;
}

test("pairs of video and type are numbered in their order, more of both than a table begins with", () => {
  const name = fc.integer({ min: 0, max: 400 });
  const pairs = fc.array(fc.tuple(name, fc.integer({ min: 0, max: 30 })), { maxLength: 900 });
  fc.assert(
    fc.property(pairs, fc.constantFrom(1, 16, 1_024), (all, expected) => {
      const table = new PairTable(5, expected);
      const model = new Map<string, number>();
      for (const [video, type] of all) {
        const key = `v${video} T${type}`;
        if (!model.has(key)) model.set(key, model.size);
        expect(table.pairOf(rowOf(`v${video}`, `T${type}`))).toBe(model.get(key));
      }
      for (const [key, pair] of model) {
        const [video, type] = [table.videoText(table.videoOfPair(pair)), table.typeTexts[table.typeOfPair(pair)]];
        expect(`${video} ${type}`).toBe(key);
      }
      expect(table.videoCount).toBe(new Set(all.map(([video]) => video)).size);
      expect(table.size).toBe(model.size);
    }),
  );
});

test("cells of any part of the videos have exact sums, up and down, and travel as they are", () => {
  const most = Number.MAX_SAFE_INTEGER;
  const amount = fc.constantFrom(0, 1, -1, most, -most);
  const step = fc.record({
    ...{ video: fc.nat(20), type: fc.nat(3), ms: fc.nat(59_999) },
    ...{ before: amount, value: amount, isFirst: fc.boolean() },
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 1, max: 4 }), (steps, parts) => {
      const [names, sums] = [new PairTable(5, 4), new CellSums(4)];
      const model = new Map<string, Omit<RecountedCell, "videoId" | "eventType">>();
      for (const { video, type, ms, before, value, isFirst } of steps) {
        const pair = names.pairOf(rowOf(`v${video}`, `T${type}`));
        sums.seen(pair, ms);
        sums.count(pair);
        sums.change(pair, before, value, isFirst);
        const cell = model.get(`v${video} T${type}`) ?? { count: 0, sum: 0n, valued: 0, lastMsInMinute: 0 };
        cell.count++;
        cell.sum += BigInt(value) - BigInt(before);
        if (isFirst) cell.valued++;
        cell.lastMsInMinute = Math.max(cell.lastMsInMinute, ms);
        model.set(`v${video} T${type}`, cell);
      }
      const partOf = (videoId: string) => Number(videoId.slice(1)) % parts;
      const found = new Map<string, unknown>();
      for (const [part, columns] of cellsByPart(names, sums, parts, partOf)) {
        const its = [...model.keys()].map((name) => name.split(" ")[0]!).filter((videoId) => partOf(videoId) === part);
        expect(columns.videos.ends).toHaveLength(new Set(its).size);
        for (const { videoId, eventType, ...cell } of decodeCells(cellColumns(encodeCells(columns)))) {
          expect(partOf(videoId)).toBe(part);
          found.set(`${videoId} ${eventType}`, cell);
        }
        for (const sum of columns.beyond.values()) expect(Number.isSafeInteger(Number(sum))).toBe(false);
      }
      expect(found).toEqual(model);
    }),
  );
});

test("a unit of the audit is its key", () => {
  const unit: AuditUnit = { minute: 29_000_000, part: 2, of: 5, events: 12_345 };
  expect(unitOf(unitKey(unit))).toEqual(unit);
});
describe("the books of a minute's parts", () => {
  const recount = (n: number): Recount => ({
    ...{ events: n, distinct: n + 1, lateCounted: n + 2, lateDuplicate: n + 3 },
    ...{ backfillCounted: n + 4, backfillDuplicate: n + 5 },
  });
  const part = (n: number, of: number, more: Partial<RecountBooks> = {}): RecountBooks => ({
    ...{ minute: 7, part: n, of, objects: 1, objectsKey: "k", counted: recount(10 ** (n + 1)), changeSequence: 3 },
    ...{
      notComparable: "",
      repeated: 0,
      missing: 0,
      loss: { events: 0, objects: [] },
      wasSettled: false,
      isUnbalanced: false,
    },
    ...more,
  });

  test("are added up", () => {
    const { row, isChanged } = verdictOf([part(0, 3), part(2, 3), part(1, 3)]);
    expect(isChanged).toBe(false);
    expect(row.counted).toEqual({
      ...{ events: 1_110, distinct: 1_113, lateCounted: 1_116, lateDuplicate: 1_119 },
      ...{ backfillCounted: 1_122, backfillDuplicate: 1_125 },
    });
    expect(verdictOf([part(0, 1)]).row).toMatchObject({ minute: 7, counted: recount(10), notComparable: "" });
  });

  test("say why the minute cannot be compared where one part says so", () => {
    expect(verdictOf([part(0, 2), part(1, 2, { notComparable: "a.avro: cut" })]).row.notComparable).toBe("a.avro: cut");
  });

  test("are of a changed minute where a part found other objects or another sequence", () => {
    expect(verdictOf([part(0, 2), part(1, 2, { objectsKey: "l" })]).isChanged).toBe(true);
    expect(verdictOf([part(0, 2), part(1, 2, { changeSequence: 4 })]).isChanged).toBe(true);
  });

  test.each([
    ["one is missing", [part(0, 2)], "minute 7: 1 of 2 parts were recounted"],
    ["one is there twice", [part(0, 2), part(0, 2)], "minute 7: 2 of 2 parts were recounted"],
    ["there is one too many", [part(0, 1), part(1, 1)], "minute 7: 2 of 1 parts were recounted"],
    ["there is none", [], "minute undefined: 0 of undefined parts were recounted"],
  ])("are a bug where %s", (_what, parts, message) => {
    expect(() => verdictOf(parts)).toThrow(message);
  });
});

describe("reused ids", () => {
  const hash = fc.constantFrom<[number, number]>([1, 2], [1, -2], [-1, 2], [0, 0], [-5, -6], [2, 1]);
  const block = (minute: number, hashes: [number, number][], shift = 0) => {
    const words = Int32Array.from(hashes.flat());
    const bytes = new Uint8Array(words.byteLength + shift);
    bytes.set(new Uint8Array(words.buffer), shift);
    return { minute, hashes: bytes.subarray(shift) };
  };

  test("are those whose two hashes come more than once, with where and how often", () => {
    const blocks = fc.array(fc.tuple(fc.nat(9), fc.array(hash, { maxLength: 6 }), fc.nat(9)), { maxLength: 8 });
    fc.assert(
      fc.property(blocks, (all) => {
        const model = new Map<string, { first: number; second: number; times: number; minutes: Set<number> }>();
        for (const [minute, hashes] of all) {
          for (const [first, second] of hashes) {
            const known = model.get(`${first} ${second}`) ?? { first, second, times: 0, minutes: new Set() };
            known.times++;
            known.minutes.add(minute);
            model.set(`${first} ${second}`, known);
          }
        }
        const expected = [...model.values()].filter(({ times }) => times > 1);
        const { reused, examples } = reusedIn(all.map(([minute, hashes, shift]) => block(minute, hashes, shift)));
        expect(reused).toBe(expected.reduce((sum, { times }) => sum + times - 1, 0));
        expect(examples.map(({ times }) => times)).toEqual(expected.map(({ times }) => times).sort((a, b) => b - a));
        for (const { minutes, ...example } of examples) {
          const known = model.get(`${example.first} ${example.second}`)!;
          expect(example).toEqual({ first: known.first, second: known.second, times: known.times });
          expect(minutes).toEqual([...known.minutes].sort((a, b) => a - b).slice(0, 5));
        }
      }),
    );
  });

  test("of which the examples are the most frequent, a bounded number", () => {
    const times = Array.from({ length: MAX_EXAMPLES + 5 }, (_, n) => n + 2);
    const order = [...times.filter((n) => n % 2 === 0), ...times.filter((n) => n % 2 === 1)];
    const { reused, examples } = reusedIn(
      order.map((n) =>
        block(
          1,
          Array.from({ length: n }, (): [number, number] => [n, 0]),
        ),
      ),
    );
    expect(examples.map((each) => each.times)).toEqual(times.reverse().slice(0, MAX_EXAMPLES));
    expect(reused).toBe(times.reduce((sum, n) => sum + n - 1, 0));
  });
});

describe("levels above the minutes", () => {
  const sums = (count: number, sum = 0n, valued = 0) => ({ count, sum, valued });
  const level = (name: LevelSums["level"], stored: number, below: number, videoId = "v"): LevelSums => ({
    ...{ level: name, startMs: name === "total" ? 0 : 5, videoId, eventType: "VIEW" },
    ...{ stored: sums(stored), below: sums(below) },
  });
  async function* given(levels: LevelSums[]) {
    yield* levels;
  }
  const found = async (levels: LevelSums[], lacking = 0) =>
    (
      await differencesOf(
        given(levels),
        lacking === 0
          ? new Map()
          : new Map([[cellKey("v", "VIEW"), { videoId: "v", eventType: "VIEW", ...sums(lacking) }]]),
      )
    ).map(({ level: name, expected, stored }) => [name, expected.count, stored.count]);

  test.each<[string, LevelSums[], number, unknown[]]>([
    ["all are the sums of what is below", [level("hour", 5, 5), level("day", 5, 5), level("total", 5, 5)], 0, []],
    ["an hour differs, which the day has taken over", [level("hour", 4, 5), level("day", 4, 4)], 0, [["hour", 5, 4]]],
    ["an hour differs and the day does not", [level("day", 5, 4), level("hour", 4, 5)], 0, [["hour", 5, 4]]],
    [
      "each differs by itself",
      [level("total", 1, 3), level("day", 3, 5)],
      0,
      [
        ["day", 5, 3],
        ["total", 5, 1],
      ],
    ],
    ["a total differs alone", [level("total", 7, 9)], 0, [["total", 9, 7]]],
    ["the minutes lack what no level lacks", [level("hour", 5, 3)], 2, []],
    ["the minutes lack what every level lacks, too", [level("hour", 3, 3), level("day", 3, 3)], 2, []],
    ["the minutes lack two, and the hour one", [level("hour", 4, 3)], 2, [["hour", 5, 4]]],
    ["the day has what the hour lacks", [level("hour", 3, 5), level("day", 5, 3)], 0, [["hour", 5, 3]]],
  ])("%s", async (_what, levels, lacking, expected) => {
    expect(await found(levels, lacking)).toEqual(expected);
    expect(await found([...levels].reverse(), lacking)).toEqual(expected);
  });

  test("are told apart by video, and differ in sums and valued events as in counts", async () => {
    expect(await found([level("hour", 4, 5), level("hour", 3, 3, "w"), level("day", 1, 2, "w")])).toEqual([
      ["hour", 5, 4],
      ["day", 2, 1],
    ]);
    const of = (stored: LevelSums["stored"]) => differencesOf(given([{ ...level("day", 0, 0), stored }]), new Map());
    expect(await of(sums(0, 1n))).toMatchObject([{ level: "day", startMs: 5, expected: NO_SUMS, stored: { sum: 1n } }]);
    expect(await of(sums(0, 0n, 1))).toMatchObject([{ videoId: "v", eventType: "VIEW", stored: { valued: 1 } }]);
  });
});

describe("the reads of an hour", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-reads-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const HOUR = 480_000;
  const minute = HOUR * 60;

  async function opened() {
    const stores = await openStores(folder);
    const { archive, ledger, log } = stores;
    const asked: [number, number][] = [];
    const listing = {
      list: (from: number, to: number) => {
        asked.push([from, to]);
        return archive.list(from, to);
      },
    };
    const progress = new SqliteLogProgress(log, ledger, ledger);
    return { stores, asked, sources: { archive: listing, ledger, progress } };
  }

  test("are what the stores say of each minute, and nothing of a minute without events", async () => {
    const { stores, sources } = await opened();
    const { name, sizeBytes } = await stores.archive.write(minute + 59, "w-1.avro", Buffer.from("x"));
    const object = { name, minute: minute + 59, events: 3, sizeBytes };
    await stores.ledger.addObjects([object], [minute + 59]);
    await stores.log.append({ payload: Buffer.of(1), events: 2, acceptedByMinute: new Map([[minute + 59, 2]]) });
    const reads = new HourReads(() => 5_000);
    expect(await reads.of(minute + 59, sources)).toMatchObject({
      ...{ accepted: 2, askedAtMs: 5_000, objects: [{ name }], listed: [object] },
      books: { minute: minute + 59, archived: 3 },
    });
    expect((await reads.of(minute + 59, sources)).changeSequence).toBeGreaterThan(0);
    expect(await reads.of(minute, sources)).toMatchObject({
      ...{ accepted: 0, changeSequence: 0, objects: [], listed: [], books: undefined },
    });
    await stores.close();
  });

  test("are asked for once an hour and half a minute; a minute that is read again keeps what was accepted before", async () => {
    const { stores, asked, sources } = await opened();
    let nowMs = 1_000;
    const reads = new HourReads(() => nowMs);
    const before = await reads.of(minute, sources);
    await reads.of(minute + 59, sources);
    nowMs += 30_000;
    await reads.of(minute + 1, sources);
    expect(asked).toEqual([[minute, minute + 60]]);
    await stores.log.append({ payload: Buffer.of(1), events: 2, acceptedByMinute: new Map([[minute, 2]]) });
    const again = await reads.again(minute, before, sources);
    expect(asked.at(-1)).toEqual([minute, minute + 1]);
    expect([again.accepted, again.askedAtMs]).toEqual([0, 1_000]);
    nowMs += 1;
    expect(await reads.of(minute, sources)).toMatchObject({ accepted: 2, askedAtMs: nowMs });
    expect(asked).toHaveLength(3);
    await stores.close();
  });

  test("are kept of four hours, the oldest is forgotten", async () => {
    const { stores, asked, sources } = await opened();
    let nowMs = 0;
    const reads = new HourReads(() => nowMs);
    for (const hour of [0, 1, 2, 3, 0, 4, 1, 4, 0]) await reads.of(minute + hour * 60, sources);
    expect(asked.map(([from]) => (from - minute) / 60)).toEqual([0, 1, 2, 3, 4, 0]);
    // An hour that is read anew is the newest of them.
    nowMs = 30_001;
    for (const hour of [2, 1, 2]) await reads.of(minute + hour * 60, sources);
    expect(asked.slice(6).map(([from]) => (from - minute) / 60)).toEqual([2, 1]);
    await stores.close();
  });
});

test("records and payloads of a log become messages with the time of their append", () => {
  const context = { timestamp: { lookup: () => instant(7_000) } };
  const bytes = Uint8Array.of(1, 2);
  expect([...new RecordToMessage().process({ key: bytes, value: bytes }, context)]).toEqual([
    { kind: "batch", payload: bytes, appendedAtMs: 7_000 },
  ]);
  expect([...new RecordToMessage().process({ key: bytes, value: undefined as never }, context)]).toEqual([
    { kind: "batch", payload: new Uint8Array(0), appendedAtMs: 7_000 },
  ]);
  expect([...new PayloadToMessage().process(bytes, context)]).toEqual([
    { kind: "batch", payload: bytes, appendedAtMs: 7_000 },
  ]);
});
