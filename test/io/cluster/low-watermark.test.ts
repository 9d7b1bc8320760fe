// SPDX-License-Identifier: Apache-2.0
/**
 * Checks that every event accepted before an answer's completeThrough is counted. The schedules are random: they
 * accept, book, take, archive, count, audit, lose and crash, with two archivers, two ingest instances and a job that
 * may be away.
 */
import fc from "fast-check";
import { LedgerProgress } from "../../../io/cluster/ledger-progress";
import { LowWatermark } from "../../../io/cluster/low-watermark";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { removeFolders, temporaryFolder } from "../ports/condition";

const MINUTE_MS = 60_000;
const START_MS = 1_700_000_000_000;
const LATE_AFTER_MS = 3_600_000;
const INGEST_LEASE_MS = 30_000;
const READER_LEASE_MS = 120_000;
/** Real instances book every second. Five seconds here leave room for steps between two bookings. */
const BOOK_EVERY_MS = 5_000;

interface Message {
  id: string;
  minute: number;
  events: number;
  acceptedAtMs: number;
  instance: string;
  booked: boolean;
  state: "waiting" | "held" | "archived" | "lost";
  holder: number;
  counted: boolean;
  isLate: boolean;
  settled: boolean;
}

type Step =
  | { do: "accept"; instance: number; aheadMinutes: number; events: number }
  | { do: "take" | "archive" | "mark" | "reader-crash"; reader: number }
  | { do: "ingest-crash"; instance: number }
  | { do: "count"; share: number }
  | { do: "audit" | "lose" }
  | { do: "wait"; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("accept" as const),
      instance: fc.nat(1),
      // Five minutes ahead, on time, hours late.
      aheadMinutes: fc.constantFrom(5, 3, 0, 0, 0, -1, -2, -59, -150, -4_000),
      events: fc.integer({ min: 1, max: 2 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constantFrom("take", "archive", "mark", "mark" as const), reader: fc.nat(1) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("count" as const), share: fc.constantFrom(0.3, 1, 1) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(100, 900, 7_000, 70_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constant(4 * 3_600_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("audit", "lose" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reader-crash" as const), reader: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("ingest-crash" as const), instance: fc.nat(1) }) },
);

class World {
  private nowMs = START_MS;
  private readonly messages: Message[] = [];
  private readonly instances: ReturnType<World["instance"]>[];
  private made = 0;
  private readonly readers: ReturnType<World["reader"]>[];
  /** Events whose instance crashed before booking them, so that no ledger promises them. */
  private readonly unpromised = new Set<Message>();
  private lowest = 0;

  constructor(
    private readonly ledger: SqliteLedger,
    /** `group`: any reader knows how far all are (Kafka); `own`: each knows what it holds (Pub/Sub). */
    private readonly marks: "group" | "own",
  ) {
    this.instances = [this.instance(), this.instance()];
    this.readers = [this.reader(), this.reader()];
  }

  private instance() {
    return { name: `i${Math.random()}`, sequence: 0, totals: new Map<number, number>(), bookedAtMs: 0 };
  }

  private reader() {
    return { name: `r${Math.random()}`, keeper: new LowWatermark(this.ledger, () => this.nowMs) };
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const each of this.instances) await this.book(each);
    for (const one of steps) {
      await this.take1(one);
      this.nowMs += 1;
    }
    // A watermark that never advances must not pass this test: once all work is done it must reach the end, except
    // before a lost event.
    await this.settle();
  }

  private async take1(one: Step): Promise<void> {
    switch (one.do) {
      case "accept":
        return this.accept(one.instance, one.aheadMinutes, one.events);
      case "take":
        return this.take(one.reader);
      case "archive":
        return this.archive(one.reader);
      case "mark":
        return this.mark(one.reader);
      case "count":
        return this.count(one.share);
      case "audit":
        return this.audit();
      case "wait":
        return this.wait(one.ms);
      case "lose":
        return this.lose();
      case "reader-crash":
        for (const message of this.held(one.reader)) message.state = "waiting";
        this.readers[one.reader] = this.reader();
        return;
      case "ingest-crash": {
        const { name } = this.instances[one.instance]!;
        for (const message of this.messages) {
          if (message.instance === name && !message.booked) this.unpromised.add(message);
        }
        this.instances[one.instance] = this.instance();
        return this.book(this.instances[one.instance]!);
      }
      default:
        return one satisfies never;
    }
  }

  private accept(index: number, aheadMinutes: number, events: number): void {
    const instance = this.instances[index]!;
    const minute = Math.floor(this.nowMs / MINUTE_MS) + aheadMinutes;
    instance.totals.set(minute, (instance.totals.get(minute) ?? 0) + events);
    this.messages.push({
      id: `m${this.made++}`,
      minute,
      events,
      acceptedAtMs: this.nowMs,
      instance: instance.name,
      booked: false,
      state: "waiting",
      holder: -1,
      counted: false,
      isLate: this.nowMs - minute * MINUTE_MS > LATE_AFTER_MS,
      settled: false,
    });
  }

  private async book(instance: ReturnType<World["instance"]>): Promise<void> {
    const fresh = this.messages.filter((message) => message.instance === instance.name && !message.booked);
    instance.sequence++;
    instance.bookedAtMs = this.nowMs;
    await this.ledger.bookAccepted({
      instance: instance.name,
      sequence: instance.sequence,
      minutes: new Map(fresh.map(({ minute }) => [minute, instance.totals.get(minute)!])),
      sinceMs: Math.min(this.nowMs, ...fresh.map(({ acceptedAtMs }) => acceptedAtMs)),
      throughMs: this.nowMs,
      leaseUntilMs: this.nowMs + INGEST_LEASE_MS,
    });
    for (const message of fresh) message.booked = true;
  }

  private take(reader: number): void {
    for (const message of this.messages.filter(({ state }) => state === "waiting").slice(0, 3)) {
      message.state = "held";
      message.holder = reader;
    }
  }

  private held(reader: number): Message[] {
    return this.messages.filter(({ state, holder }) => state === "held" && holder === reader);
  }

  private async archive(reader: number): Promise<void> {
    for (const { id, minute, events, acceptedAtMs } of this.held(reader)) {
      const listed = { name: id, minute, events, sizeBytes: 1, accepted: events, acceptedSinceMs: acceptedAtMs };
      await this.ledger.addObjects([{ ...listed, messages: [{ id, events, accepted: events }] }], [minute]);
    }
    for (const message of this.held(reader)) message.state = "archived";
  }

  private async mark(reader: number): Promise<void> {
    const askedAtMs = this.nowMs;
    if (this.marks === "own" && this.held(reader).length === 0) this.take(reader);
    const waiting =
      this.marks === "own"
        ? this.held(reader)
        : this.messages.filter(({ state }) => state === "waiting" || state === "held");
    const throughMs = Math.min(askedAtMs, ...waiting.map(({ acceptedAtMs }) => acceptedAtMs));
    const name = this.marks === "own" ? this.readers[reader]!.name : "group";
    await this.ledger.setArchivedThrough(name, throughMs, this.nowMs + READER_LEASE_MS);
    await this.readers[reader]!.keeper.advance();
    await this.check();
  }

  /** Reads the promise as a service does. */
  private async check(): Promise<number> {
    const throughMs = await new LedgerProgress(this.ledger, { clock: () => this.nowMs }).completeThroughMs(this.nowMs);
    for (const message of this.messages) {
      const { acceptedAtMs, counted, settled } = message;
      if (acceptedAtMs >= throughMs || counted || settled) continue;
      if (this.unpromised.has(message) && (message.state === "lost" || this.marks === "own")) continue;
      throw new Error(`complete through ${throughMs - START_MS}, without ${JSON.stringify(message)}`);
    }
    const isLoss = this.messages.some(({ state }) => state === "lost");
    if (!isLoss) expect(throughMs).toBeGreaterThanOrEqual(this.unpromised.size === 0 ? this.lowest : 0);
    this.lowest = throughMs;
    return throughMs;
  }

  /** The stream reads the log by itself: it may be ahead of the archive. It sets late events aside. */
  private async count(share: number): Promise<void> {
    const open = this.messages.filter(({ counted, isLate, state }) => !counted && !isLate && state !== "lost");
    for (const message of open.slice(0, Math.ceil(open.length * share))) message.counted = true;
    for (const minute of new Set(this.messages.map((message) => message.minute))) {
      const its = this.messages.filter((message) => message.minute === minute);
      const counted = sum(its.filter((message) => message.counted));
      const late = sum(its.filter(({ isLate, state }) => isLate && state !== "lost"));
      const row = { minute, duplicate: 0, reusedIds: 0 };
      await this.ledger.writeRows([
        { ...row, part: 0, received: counted, counted, late: 0 },
        { ...row, part: 9, received: late, counted: 0, late },
      ]);
    }
  }

  private async audit(): Promise<void> {
    const archived = this.messages.filter(({ isLate, state }) => isLate && state === "archived");
    const minutes = new Set(archived.map(({ minute }) => minute));
    const settled = [...minutes].map((minute) => ({
      minute,
      counted: sum(archived.filter((message) => message.minute === minute)),
      duplicate: 0,
    }));
    await this.ledger.settleLate(settled, { auditedAtMs: this.nowMs });
    for (const message of archived) message.settled = true;
  }

  private async wait(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (const each of this.instances) {
      this.nowMs = Math.min(untilMs, Math.max(this.nowMs, each.bookedAtMs + BOOK_EVERY_MS));
      await this.book(each);
    }
    this.nowMs = untilMs;
    if (ms >= BOOK_EVERY_MS) for (const each of this.instances) await this.book(each);
  }

  private lose(): void {
    const lost = this.messages.find(({ state, counted }) => state === "waiting" && !counted);
    if (lost !== undefined) lost.state = "lost";
  }

  private async settle(): Promise<void> {
    await this.wait(READER_LEASE_MS + INGEST_LEASE_MS);
    for (const reader of [0, 1]) {
      while (this.messages.some(({ state }) => state === "waiting")) this.take(reader);
      await this.archive(reader);
    }
    await this.archive(0);
    await this.count(1);
    await this.audit();
    const endMs = this.nowMs;
    for (let round = 0; round < 3; round++) {
      await this.wait(BOOK_EVERY_MS);
      for (const reader of [0, 1]) await this.mark(reader);
    }
    const throughMs = await this.check();
    const promisedLosses = this.messages.filter((one) => one.state === "lost" && !this.unpromised.has(one));
    if (promisedLosses.length === 0) expect(throughMs).toBeGreaterThanOrEqual(endMs);
    else expect(throughMs).toBeLessThanOrEqual(Math.min(...promisedLosses.map(({ acceptedAtMs }) => acceptedAtMs)));
    const named = (await this.ledger.books(0, 2 ** 31)).filter(({ accepted, archived }) => accepted > archived);
    const minutes = new Set(promisedLosses.map(({ minute }) => minute));
    expect(named.map(({ minute }) => minute).sort()).toEqual([...minutes].sort());
  }
}

const sum = (messages: readonly Message[]): number => messages.reduce((events, one) => events + one.events, 0);

afterEach(removeFolders);

test.each(["group", "own"] as const)(
  "no answer promises what is not counted, with %s marks",
  async (marks) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        const ledger = new SqliteLedger({ folder: temporaryFolder() });
        try {
          await new World(ledger, marks).run(steps);
        } finally {
          await ledger.close();
        }
      }),
      { numRuns: 25 },
    );
  },
  300_000,
);
