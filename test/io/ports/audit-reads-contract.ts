// SPDX-License-Identifier: Apache-2.0
/**
 * The contract of every CounterStore for audits: cells by part of the videos, the stored hours, and the levels beside
 * the cells below them.
 */
import type { CounterStore, LevelSums } from "../../../io/ports";
import { collect } from "./condition";
import { asMinuteCounts } from "./counter-model";
import { cell } from "./counter-store-contract";

const VIDEOS = Array.from({ length: 40 }, (_, n) => `video-${n}`);
const HOUR = 500_000;
const MINUTE = HOUR * 60;
const HOUR_MS = 3_600_000;

export function auditReadsContract(name: string, subject: { open(): Promise<CounterStore> }): void {
  describe(`${name} can be read by an audit`, () => {
    let store: CounterStore;
    beforeEach(async () => {
      store = await subject.open();
    });
    afterEach(() => store.close());

    it("divides the videos into parts, each of which is read by itself, and together they are all", async () => {
      await store.apply(asMinuteCounts(VIDEOS.map((video, n) => cell(MINUTE + (n % 3), video, n + 1))));
      const found = new Map<string, number>();
      for (let part = 0; part < store.videoParts; part++) {
        for (const { videos, videoIndex } of await collect(store.minuteCells(MINUTE, MINUTE + 60, part))) {
          for (const index of videoIndex) found.set(videos[index]!, part);
        }
      }
      expect([...found.keys()].sort()).toEqual([...VIDEOS].sort());
      for (const [video, part] of found) expect(store.partOf(video)).toBe(part);
    });

    it("names the hours that have cells, whatever lies between", async () => {
      const minutes = [0, 59, 60, MINUTE, MINUTE + 61, MINUTE + 100_000];
      await store.apply(asMinuteCounts(minutes.map((minute) => cell(minute, "a", 1))));
      const hours = [0, 1, HOUR, HOUR + 1, HOUR + 1_666];
      expect(await collect(store.storedHours(0, 10_000_000))).toEqual(hours);
      expect(await collect(store.storedHours(1, HOUR + 1))).toEqual([1, HOUR]);
      expect(await collect(store.storedHours(2, HOUR))).toEqual([]);
    });

    it("gives an hour, its day and the total of the videos that are asked for, beside the sums below", async () => {
      await store.apply(
        asMinuteCounts([
          cell(MINUTE, "a", 3, { sum: 2n ** 70n }),
          cell(MINUTE + 1, "a", 2, { sum: -5n }),
          cell(MINUTE + 60, "a", 4),
          cell(MINUTE + 24 * 60 * 400, "a", 10),
          cell(MINUTE, "a", 7, { type: "LIKE" }),
          cell(MINUTE, "b", 1),
          cell(MINUTE, "not asked for", 1),
        ]),
      );
      const levels = await collect(store.levels(["a", "b", "unknown"], HOUR));
      for (const { stored, below } of levels) expect(stored).toEqual(below);
      const of = (level: LevelSums["level"], videoId: string, eventType = "VIEW") =>
        levels.find((each) => each.level === level && each.videoId === videoId && each.eventType === eventType);
      expect(of("hour", "a")).toMatchObject({ startMs: HOUR * HOUR_MS, stored: { count: 5, sum: 2n ** 70n - 5n } });
      const dayMs = Math.floor(HOUR / 24) * 24 * HOUR_MS;
      expect(of("day", "a")).toMatchObject({ startMs: dayMs, stored: { count: 9, sum: 2n ** 70n - 5n } });
      expect(of("total", "a")).toMatchObject({ startMs: 0, stored: { count: 19, sum: 2n ** 70n - 5n } });
      expect(of("total", "a", "LIKE")).toMatchObject({ stored: { count: 7, sum: 0n } });
      expect(of("total", "b")).toMatchObject({ stored: { count: 1 } });
      expect(new Set(levels.map(({ videoId }) => videoId))).toEqual(new Set(["a", "b"]));
    });

    it("gives every total of a part beside the sum of its days", async () => {
      await store.apply(
        asMinuteCounts(
          VIDEOS.flatMap((video, n) => [
            cell(MINUTE, video, n + 1),
            cell(MINUTE + 24 * 60, video, 1, { type: "LIKE" }),
          ]),
        ),
      );
      const totals = new Map<string, number>();
      for (let part = 0; part < store.videoParts; part++) {
        for await (const { level, videoId, eventType, stored, below } of store.totalLevels(part)) {
          expect({ level, stored }).toEqual({ level: "total", stored: below });
          expect(store.partOf(videoId)).toBe(part);
          totals.set(`${videoId} ${eventType}`, stored.count);
        }
      }
      expect(totals.size).toBe(2 * VIDEOS.length);
      VIDEOS.forEach((video, n) => {
        expect([totals.get(`${video} VIEW`), totals.get(`${video} LIKE`)]).toEqual([n + 1, 1]);
      });
    });
  });
}
