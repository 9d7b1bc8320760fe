// SPDX-License-Identifier: Apache-2.0
/**
 * The contract of every log with subscriptions: the writing side (EventLog) and the reading side (LogSubscription)
 * together.
 */
import { type EventLog, LogFullError, type LogMessage, type LogPortion, type LogSubscription } from "../../../io/ports";
import { Child } from "./condition";
import { batchOf } from "./embedded-log-contract";

interface SharedLog {
  /** Opened for this test, with everything it needs; `maxQueueBytes` bounds what waits or is under way. */
  writer(options?: { maxQueueBytes?: number }): Promise<EventLog>;
  reader(): Promise<LogSubscription>;
  /**
   * Arguments of test/io/ports/children/hold-portion.ts, which opens the same subscription in a process of its own.
   */
  readerArguments: string[];
  close(): Promise<void>;
}

interface SharedLogUnderTest {
  /** A new, empty log with one subscription. */
  open(): Promise<SharedLog>;
  /** A portion taken again is the same one. */
  exact: boolean;
  /** Several readers share the work; otherwise there is one, with one portion open. */
  shared: boolean;
  /** Messages carry the minutes that their batch declared. */
  declares: boolean;
  /** The longest time for which a killed reader keeps its messages. */
  takeOverMs: number;
}

const LIMITS = { maxMessages: 1_000, maxBytes: 1e8, waitMs: 50 };

export const textOf = (message: LogMessage): string => Buffer.from(message.payload).toString();
const idsOf = (portion: LogPortion): string[] => portion.messages.map(({ id }) => id);

/** The next portion, which must come within `withinMs`. */
export async function nextPortion(reader: LogSubscription, limits = {}, withinMs = 20_000): Promise<LogPortion> {
  const untilMs = performance.now() + withinMs;
  while (performance.now() < untilMs) {
    const portion = await reader.take({ ...LIMITS, ...limits });
    if (portion !== undefined) return portion;
  }
  throw new Error(`no portion came within ${withinMs} ms`);
}

/** Takes and finishes until `count` different messages were seen; by their text. */
export async function drain(reader: LogSubscription, count: number, limits = {}): Promise<Map<string, LogMessage>> {
  const seen = new Map<string, LogMessage>();
  while (seen.size < count) {
    const portion = await nextPortion(reader, limits);
    for (const message of portion.messages) seen.set(textOf(message), message);
    await portion.done();
  }
  return seen;
}

export function sharedLogContract(describeName: string, subject: SharedLogUnderTest): void {
  describe(`${describeName} keeps the contract of EventLog and LogSubscription`, () => {
    let shared: SharedLog;
    let log: EventLog;
    const readers: LogSubscription[] = [];
    const open = async () => {
      const reader = await shared.reader();
      readers.push(reader);
      return reader;
    };
    beforeEach(async () => {
      shared = await subject.open();
      log = await shared.writer();
    });
    afterEach(async () => {
      await Promise.all(readers.splice(0).map((reader) => reader.close()));
      await log.close();
      await shared.close();
    });

    it("delivers what was appended, whole, with what the batch declared and when it was appended", async () => {
      const minutes = new Map([
        [29_000_000, 498],
        [29_000_001, 1],
        [29_000_777, 1],
      ]);
      const payload = Buffer.from(Array.from({ length: 70_000 }, (_, n) => (n * 7) % 256));
      const beforeMs = Date.now();
      await log.append({ payload, events: 500, acceptedByMinute: minutes });
      const portion = await nextPortion(await open());
      expect(portion.messages).toHaveLength(1);
      expect(portion.exact).toBe(subject.exact);
      expect(portion.name).toMatch(/^[A-Za-z0-9._-]{1,150}$/);
      const [message] = portion.messages;
      expect(Buffer.from(message!.payload).equals(payload)).toBe(true);
      expect(message!.acceptedByMinute).toEqual(subject.declares ? minutes : undefined);
      expect(message!.appendedAtMs).toBeGreaterThanOrEqual(beforeMs - 1);
      expect(message!.appendedAtMs).toBeLessThanOrEqual(Date.now() + 1);
      await portion.done();
    });

    it("takes concurrent appends and delivers each, with an id of its own", async () => {
      const texts = Array.from({ length: 300 }, (_, n) => `batch ${n}`);
      await Promise.all(texts.map((text) => log.append(batchOf(text))));
      const seen = await drain(await open(), 300, { maxMessages: 70 });
      expect([...seen.keys()].sort()).toEqual([...texts].sort());
      expect(new Set([...seen.values()].map(({ id }) => id)).size).toBe(300);
    });

    it("gives nothing, after the time to wait, where nothing is", async () => {
      const reader = await open();
      const startMs = performance.now();
      expect(await reader.take({ ...LIMITS, waitMs: 300 })).toBeUndefined();
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(290);
      expect(await reader.oldestWaitingMs()).toBeUndefined();
    });

    it("keeps to maxMessages and maxBytes, but gives one message however large", async () => {
      for (let n = 0; n < 12; n++) await log.append(batchOf(`${n}`.padEnd(10_000, "x")));
      await log.append(batchOf("large".padEnd(5_000_000, "x")));
      const reader = await open();
      const texts: string[] = [];
      while (texts.length < 13) {
        // Not every log keeps an order: the large message may come at any time.
        const byCount = texts.length < 6;
        const portion = await nextPortion(reader, byCount ? { maxMessages: 2 } : { maxBytes: 25_000 });
        const bytes = portion.messages.reduce((sum, { payload }) => sum + payload.byteLength, 0);
        expect(portion.messages.length).toBeLessThanOrEqual(2);
        expect(byCount || portion.messages.length === 1 || bytes <= 25_000).toBe(true);
        texts.push(...portion.messages.map(textOf));
        await portion.done();
      }
      expect(texts.filter((text) => text.length === 5_000_000)).toHaveLength(1);
      expect(new Set(texts.map((text) => text.slice(0, text.indexOf("x")))).size).toBe(13);
    });

    it("waits for a portion to fill, but no longer than it was told to", async () => {
      const reader = await open();
      await log.append(batchOf("first"));
      await (await nextPortion(reader)).done();
      const full = reader.take({ ...LIMITS, maxMessages: 3, waitMs: 15_000 });
      await Promise.all(["a", "b", "c"].map((text) => log.append(batchOf(text))));
      const portion = await full;
      expect(portion!.messages.map(textOf).sort()).toEqual(["a", "b", "c"]);
      await portion!.done();
      await log.append(batchOf("alone"));
      const startMs = performance.now();
      const alone = await nextPortion(reader, { maxMessages: 3, waitMs: 1_000 });
      expect(performance.now() - startMs).toBeGreaterThan(700);
      expect(alone.messages.map(textOf)).toEqual(["alone"]);
      await alone.done();
    });

    it("gives an abandoned portion again", async () => {
      for (let n = 0; n < 20; n++) await log.append(batchOf(`batch ${n}`));
      const reader = await open();
      const portion = await nextPortion(reader, { maxMessages: 3 });
      const ids = idsOf(portion);
      await portion.abandon();
      const again = new Set<string>();
      while (!ids.every((id) => again.has(id))) {
        const next = await nextPortion(reader, { maxMessages: 2 });
        if (subject.exact && next.messages.some(({ id }) => ids.includes(id))) {
          expect([next.name, idsOf(next)]).toEqual([portion.name, ids]);
        }
        for (const id of idsOf(next)) again.add(id);
        await next.done();
      }
    });

    it("does not give again what is done, in whatever order it was done, and gives again what is not", async () => {
      for (let n = 0; n < 40; n++) await log.append(batchOf(`batch ${n}`));
      const reader = await open();
      const first = await nextPortion(reader, { maxMessages: 3 });
      const seconds: LogPortion[] = [];
      if (subject.shared) {
        seconds.push(await nextPortion(reader, { maxMessages: 3 }), await nextPortion(reader, { maxMessages: 3 }));
        for (const portion of seconds.toReversed()) await portion.done();
      }
      await reader.close();
      const again = await open();
      const left = new Map<string, LogPortion>();
      while (left.size < 40 - seconds.length * 3) {
        const portion = await nextPortion(again, {}, subject.takeOverMs);
        for (const id of idsOf(portion)) left.set(id, portion);
        await portion.done();
      }
      for (const id of seconds.flatMap(idsOf)) expect(left.has(id)).toBe(false);
      const taken = left.get(idsOf(first)[0]!);
      expect(taken).toBeDefined();
      if (subject.exact) expect([taken!.name, idsOf(taken!)]).toEqual([first.name, idsOf(first)]);
    });

    it("says when the oldest message that is not done was appended", async () => {
      const reader = await open();
      const beforeMs = Date.now();
      await log.append(batchOf("oldest"));
      const afterMs = Date.now();
      await log.append(batchOf("newer"));
      const portion = await nextPortion(reader, { maxMessages: 1 });
      const oldestMs = await reader.oldestWaitingMs();
      // Up to 100 ms too old is allowed, too young is not.
      expect(oldestMs).toBeGreaterThanOrEqual(beforeMs - 100);
      expect(oldestMs).toBeLessThanOrEqual(Math.max(afterMs, portion.messages[0]!.appendedAtMs));
      await portion.done();
      await (await nextPortion(reader)).done();
      expect(await reader.oldestWaitingMs()).toBeUndefined();
    });

    it("gives the open portion of a reader that was killed to another one", async () => {
      const texts = Array.from({ length: 30 }, (_, n) => `batch ${n}`);
      await Promise.all(texts.map((text) => log.append(batchOf(text))));
      const child = new Child("hold-portion", ...shared.readerArguments);
      await child.until((lines) => lines.length > 0);
      await child.kill();
      const held = JSON.parse(child.lines[0]!) as { name: string; ids: string[] };
      const reader = await open();
      const seen = new Map<string, LogPortion>();
      while (seen.size < texts.length) {
        const portion = await nextPortion(reader, {}, subject.takeOverMs);
        for (const id of idsOf(portion)) seen.set(id, portion);
        await portion.done();
      }
      const taken = seen.get(held.ids[0]!);
      expect(taken).toBeDefined();
      if (subject.exact) expect([taken!.name, idsOf(taken!)]).toEqual([held.name, held.ids]);
    }, 60_000);

    it("refuses a batch whose minutes do not add up, without hurting the others", async () => {
      const bad = log.append({ payload: Buffer.from("bad"), events: 3, acceptedByMinute: new Map([[1, 2]]) });
      const good = log.append(batchOf("good"));
      await expect(bad).rejects.toThrow(RangeError);
      await good;
      expect([...(await drain(await open(), 1)).keys()]).toEqual(["good"]);
    });

    it("answers a ping", () => log.ping());

    // The tests for a log of several processes only.
    if (!subject.shared) return;

    it("shares the work among several readers without loss", async () => {
      const [one, two] = [await open(), await open()];
      const seen = new Set<string>();
      const shares = [0, 0];
      let appended = 0;
      const work = async (reader: LogSubscription, index: number) => {
        while (seen.size < appended || shares.includes(0)) {
          const portion = await reader.take({ ...LIMITS, maxMessages: 5, waitMs: 200 });
          if (portion === undefined) continue;
          const texts = portion.messages.map(textOf);
          // A reader that lost the portion in a rebalance has done nothing: the reader that takes it again counts.
          await portion.done().then(
            () => {
              for (const text of texts) seen.add(text);
              shares[index]! += texts.length;
            },
            () => undefined,
          );
        }
      };
      const append = async () => {
        do {
          await Promise.all(Array.from({ length: 50 }, () => log.append(batchOf(`batch ${appended++}`))));
        } while (shares.includes(0));
      };
      await Promise.all([append(), work(one, 0), work(two, 1)]);
      expect(seen.size).toBe(appended);
    }, 60_000);

    it("refuses appends past its bound until there is room", async () => {
      const bounded = await shared.writer({ maxQueueBytes: 2_500 });
      const outcomes = await Promise.allSettled(
        [1, 2, 3, 4].map((n) => bounded.append(batchOf(`${n}`.padEnd(1_000, "x")))),
      );
      const refused = outcomes.filter((outcome) => outcome.status === "rejected");
      expect(refused.length).toBeGreaterThan(0);
      for (const { reason } of refused) expect(reason).toBeInstanceOf(LogFullError);
      await bounded.append(batchOf("x".repeat(1_000)));
      await bounded.close();
      expect((await drain(await open(), 5 - refused.length)).size).toBe(5 - refused.length);
    });
  });
}
