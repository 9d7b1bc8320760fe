// SPDX-License-Identifier: Apache-2.0
/** The contract of every DeadLetters. */
import { type DeadLetters, LISTED_BYTES, LogFullError, type NewDeadLetter } from "../../../io/ports";

interface DeadLettersUnderTest {
  /** Over the same store at every call of one test. */
  open(options?: { maxBytes?: number }): Promise<DeadLetters>;
  /** Whether the store refuses letters past `maxBytes`; one without a bound of its own leaves that to retention. */
  bounded: boolean;
}

export function letter(text: string, rest: Partial<NewDeadLetter> = {}): NewDeadLetter {
  return {
    receivedAtMs: 60_000,
    reason: "bad-value",
    detail: "value is not an integer",
    payload: Buffer.from(text),
    contentType: "application/json",
    source: "ingest",
    ...rest,
  };
}

export function deadLettersContract(describeName: string, subject: DeadLettersUnderTest): void {
  describe(`${describeName} keeps the contract of DeadLetters`, () => {
    let letters: DeadLetters;
    beforeEach(async () => {
      letters = await subject.open();
    });
    afterEach(() => letters.close());

    it("keeps a letter byte for byte, with and without an event id", async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
      await letters.append([letter("", { payload: bytes, eventId: "e\u00e9" }), letter("", { source: "pipeline" })]);
      const [first, second] = await letters.list({ limit: 10 });
      expect({ ...first, payload: [...first!.payload] }).toEqual({
        ...letter(""),
        id: first!.id,
        eventId: "e\u00e9",
        payload: [...bytes],
      });
      expect(second).toMatchObject({ source: "pipeline" });
      expect(second).not.toHaveProperty("eventId");
      expect(await letters.get(second!.id)).toEqual(second);
      expect(await letters.get(`${second!.id}9`)).toBeUndefined();
    });

    it("lists by id, from one on, by reason, and by whether it was replayed", async () => {
      const reasons = ["bad-value", "too-old", "bad-value", "not-json"] as const;
      await letters.append(reasons.map((reason) => letter(reason, { reason })));
      const ids = (await letters.list({ limit: 10 })).map((one) => one.id);
      expect(ids).toHaveLength(4);
      await letters.markReplayed([ids[0]!, ids[3]!], 777);
      const found = async (query: Omit<Parameters<DeadLetters["list"]>[0], "limit">, limit = 10) =>
        (await letters.list({ ...query, limit })).map((one) => ids.indexOf(one.id));
      expect(await found({ afterId: ids[1]! })).toEqual([2, 3]);
      expect(await found({}, 3)).toEqual([0, 1, 2]);
      expect(await found({ reason: "bad-value" })).toEqual([0, 2]);
      expect(await found({ replayed: true })).toEqual([0, 3]);
      expect(await found({ replayed: false, reason: "bad-value" })).toEqual([2]);
      expect((await letters.get(ids[0]!))?.replayedAtMs).toBe(777);
    });

    it("counts the letters of a reason that wait, up to a bound, and shows the newest of the counted ones", async () => {
      expect(await letters.waiting("bad-value", 9)).toEqual({ count: 0 });
      const reasons = ["bad-value", "too-old", "bad-value", "bad-value", "not-json"] as const;
      for (const [n, reason] of reasons.entries()) await letters.append([letter(String(n), { reason })]);
      const ids = (await letters.list({ limit: 10 })).map((one) => one.id);
      await letters.markReplayed([ids[3]!], 777);
      const { count, newest } = await letters.waiting("bad-value", 9);
      expect([count, newest?.id, Buffer.from(newest!.payload).toString()]).toEqual([2, ids[2], "2"]);
      expect(await letters.waiting("bad-value", 1)).toMatchObject({ count: 1 });
    });

    it("lists large letters some at once, at least one, and the others to who asks again", async () => {
      const sizes = [LISTED_BYTES / 4, LISTED_BYTES / 4, LISTED_BYTES / 2, LISTED_BYTES + 1, 1, 2];
      for (const [n, bytes] of sizes.entries())
        await letters.append([letter("", { payload: new Uint8Array(bytes).fill(n) })]);
      const pages: number[][] = [];
      for (let afterId: string | undefined; ; ) {
        const page = await letters.list({ limit: 100, ...(afterId !== undefined && { afterId }) });
        if (page.length === 0) break;
        pages.push(page.map(({ payload }) => payload.length));
        afterId = page.at(-1)!.id;
      }
      expect(pages).toEqual([sizes.slice(0, 3), sizes.slice(3, 4), sizes.slice(4)]);
    });

    it("counts rejected events by minute of receipt", async () => {
      const at = [59_999, 60_000, 119_999, 120_000];
      await Promise.all(at.map((receivedAtMs) => letters.append([letter("x", { receivedAtMs })])));
      expect(await letters.rejectedByMinute(0, 2)).toEqual(
        new Map([
          [0, 1],
          [1, 2],
        ]),
      );
      expect(await letters.rejectedByMinute(2, 9)).toEqual(new Map([[2, 1]]));
    });

    it("takes many calls at once, and each is whole", async () => {
      const calls = Array.from({ length: 100 }, (_, n) => letters.append([letter(`${n} a`), letter(`${n} b`)]));
      await Promise.all(calls);
      const texts = (await letters.list({ limit: 1000 })).map((one) => Buffer.from(one.payload).toString());
      const expected = Array.from({ length: 100 }, (_, n) => [`${n} a`, `${n} b`]).flat();
      expect(texts.sort()).toEqual(expected.sort());
    });

    it("forgets letters received before a time, replayed or not, and how many there were before an earlier one", async () => {
      const at = [59_999, 60_000, 119_999, 120_000];
      await letters.append(at.map((receivedAtMs) => letter(String(receivedAtMs), { receivedAtMs })));
      const [first] = await letters.list({ limit: 1 });
      await letters.markReplayed([first!.id], 777);
      expect(await letters.expire({ lettersMs: 120_000, countsMs: 0 })).toBe(3);
      const kept = await letters.list({ limit: 10 });
      expect(kept.map((one) => Buffer.from(one.payload).toString())).toEqual(["120000"]);
      expect(await letters.get(first!.id)).toBeUndefined();
      const counts: [number, number][] = [
        [0, 1],
        [1, 2],
        [2, 1],
      ];
      expect(await letters.rejectedByMinute(0, 9)).toEqual(new Map(counts));
      expect(await letters.expire({ lettersMs: 120_000, countsMs: 60_000 })).toBe(0);
      expect(await letters.rejectedByMinute(0, 9)).toEqual(new Map(counts.slice(1)));
      await letters.close();
      letters = await subject.open();
      expect(await letters.rejectedByMinute(1, 2)).toEqual(new Map([[1, 2]]));
      expect(await letters.list({ limit: 10 })).toHaveLength(1);
    });

    if (subject.bounded) {
      it("refuses letters past the size bound, counts none of them, and still lists", async () => {
        await letters.close();
        letters = await subject.open({ maxBytes: 5000 });
        await letters.append([letter("x".repeat(3000))]);
        await expect(letters.append([letter("small"), letter("x".repeat(3000))])).rejects.toThrow(LogFullError);
        expect(await letters.list({ limit: 10 })).toHaveLength(1);
        expect(await letters.rejectedByMinute(0, 9)).toEqual(new Map([[1, 1]]));
        await letters.append([letter("small")]);
      });
    }

    it("remembers after it is opened again", async () => {
      await letters.append([letter("kept")]);
      await letters.close();
      letters = await subject.open();
      expect(await letters.list({ limit: 10 })).toHaveLength(1);
    });
  });
}
