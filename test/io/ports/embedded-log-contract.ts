// SPDX-License-Identifier: Apache-2.0
/** The contract of every EmbeddedLog. */
import { type EmbeddedLog, LogFullError } from "../../../io/ports";

interface EmbeddedLogUnderTest {
  open(options?: { maxBacklogBytes?: number }): Promise<EmbeddedLog>;
}

export function batchOf(text: string, minute = 100, events = 1) {
  return { payload: Buffer.from(text), events, acceptedByMinute: new Map([[minute, events]]) };
}

export function embeddedLogContract(describeName: string, subject: EmbeddedLogUnderTest): void {
  describe(`${describeName} keeps the contract of EmbeddedLog`, () => {
    let log: EmbeddedLog;
    beforeEach(async () => {
      log = await subject.open();
    });
    afterEach(() => log.close());

    it("gives back what was appended, in order, with growing positions and times that never decrease", async () => {
      const positions: number[] = [];
      for (const text of ["a", "b", "c"]) positions.push((await log.append(batchOf(text))).position);
      const entries = await log.read(0, 10, 1e6);
      expect(entries.map((entry) => Buffer.from(entry.payload).toString())).toEqual(["a", "b", "c"]);
      expect(entries.map((entry) => entry.position)).toEqual(positions);
      expect(entries.map((entry) => entry.events)).toEqual([1, 1, 1]);
      for (const [index, entry] of entries.entries()) {
        expect(entry.position).toBeGreaterThan(entries[index - 1]?.position ?? 0);
        expect(entry.appendedAtMs).toBeGreaterThanOrEqual(entries[index - 1]?.appendedAtMs ?? 0);
      }
      expect(await log.head()).toBe(positions[2]);
    });

    it("takes concurrent appends, each at a position of its own, and leaves their payloads usable", async () => {
      const batches = Array.from({ length: 300 }, (_, n) => batchOf(`batch ${n}`, 100 + (n % 3)));
      const given = await Promise.all(batches.map((batch) => log.append(batch)));
      expect(new Set(given.map((one) => one.position)).size).toBe(300);
      const byPosition = new Map((await log.read(0, 1000, 1e7)).map((entry) => [entry.position, entry.payload]));
      for (const [n, { position }] of given.entries()) {
        expect(Buffer.from(byPosition.get(position)!).toString()).toBe(`batch ${n}`);
        expect(batches[n]!.payload.toString()).toBe(`batch ${n}`);
      }
      expect(await log.accepted(100, 102)).toEqual(
        new Map([
          [100, 100],
          [101, 100],
        ]),
      );
    });

    it("reads at most maxEntries and about maxBytes, but always one entry", async () => {
      for (let n = 0; n < 5; n++) await log.append(batchOf("x".repeat(1000)));
      expect(await log.read(0, 2, 1e6)).toHaveLength(2);
      expect(await log.read(0, 10, 2500)).toHaveLength(2);
      expect(await log.read(0, 10, 1)).toHaveLength(1);
      const second = (await log.read(0, 2, 1e6))[1]!;
      expect((await log.read(second.position, 10, 1e6)).length).toBe(3);
      const after = await log.firstAfter(second.position);
      expect(after?.position).toBe((await log.read(second.position, 1, 1))[0]?.position);
      expect(await log.firstAfter(await log.head())).toBeUndefined();
    });

    it("forgets what is trimmed, keeps what is not, and never gives a position again", async () => {
      for (let n = 0; n < 200; n++) void log.append(batchOf(`entry ${n}`));
      const last = await log.append(batchOf("the last"));
      await log.trim(last.position - 1);
      await log.trim(last.position - 1);
      expect((await log.read(0, 1000, 1e7)).map((entry) => entry.position)).toEqual([last.position]);
      await log.trim(last.position);
      expect(await log.read(0, 1000, 1e7)).toEqual([]);
      expect(await log.backlogBytes()).toBe(0);
      expect(await log.head()).toBe(last.position);
      await log.close();
      log = await subject.open();
      expect(await log.head()).toBe(last.position);
      expect((await log.append(batchOf("after"))).position).toBeGreaterThan(last.position);
      expect(await log.accepted(100, 101)).toEqual(new Map([[100, 202]]));
    });

    it("refuses appends past the backlog bound until entries are trimmed", async () => {
      await log.close();
      log = await subject.open({ maxBacklogBytes: 2500 });
      const outcomes = await Promise.allSettled([1, 2, 3].map(() => log.append(batchOf("x".repeat(1000)))));
      expect(outcomes.map((outcome) => outcome.status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
      expect(outcomes[2]).toMatchObject({ reason: expect.any(LogFullError) });
      expect(await log.backlogBytes()).toBe(2000);
      await log.trim(await log.head());
      await log.append(batchOf("x".repeat(1000)));
      expect(await log.accepted(0, 1000)).toEqual(new Map([[100, 3]]));
    });

    it("remembers stamps for ten minutes", async () => {
      const nowMs = Date.now();
      const key = "event\0video\0VIEW";
      await log.append({ ...batchOf("a"), stamps: [{ key, stampedAtMs: nowMs }] });
      expect(await log.recentStamps(nowMs)).toEqual([{ key, stampedAtMs: nowMs }]);
      expect(await log.recentStamps(nowMs + 599_999)).toHaveLength(1);
      expect(await log.recentStamps(nowMs + 600_000)).toEqual([]);
    });

    it("refuses a batch whose minutes do not add up, without hurting the others", async () => {
      const bad = log.append({ payload: Buffer.from("bad"), events: 3, acceptedByMinute: new Map([[1, 2]]) });
      const good = log.append(batchOf("good"));
      await expect(bad).rejects.toThrow(RangeError);
      await good;
      expect(await log.read(0, 10, 1e6)).toHaveLength(1);
    });
  });
}
