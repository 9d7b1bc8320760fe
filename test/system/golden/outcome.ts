// SPDX-License-Identifier: Apache-2.0
/** The outcome of a script's run, read back through the ports, and the outcome that the script expects. */
import { MINUTE_MS } from "../../../domain/rules/time";
import type { CounterStore, DeadLetters } from "../../../io/ports";
import type { GoldenCells, GoldenScript, LedgerRow } from "./script";

export interface Outcome {
  minutes: GoldenCells;
  hours: GoldenCells;
  days: GoldenCells;
  totals: GoldenCells;
  ledger: Map<number, LedgerRow>;
  deadLetters: string[];
}

/**
 * Runs scripts: embedded, bounded, and later Flink, Kafka and Pub/Sub. Another runner is another implementation of
 * this.
 */
export interface GoldenRunner {
  readonly name: string;
  /** Does every step; resolves when all that was sent is counted. `folder` is empty and the run's own. */
  run(script: GoldenScript, folder: string): Promise<Outcome>;
}

const ALL_MINUTES = [0, 2 ** 40] as const;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

export async function storedCells(counters: CounterStore): Promise<Omit<Outcome, "ledger" | "deadLetters">> {
  const minutes: GoldenCells = new Map();
  for await (const part of counters.minuteCells(...ALL_MINUTES)) {
    for (let row = 0; row < part.counts.length; row++) {
      const startMs = part.minute * MINUTE_MS;
      const name = `${startMs} ${part.videos[part.videoIndex[row]!]} ${part.types[part.typeIndex[row]!]}`;
      if (minutes.has(name)) throw new Error(`${name} is stored twice`);
      const sum = BigInt(part.sumHigh[row]!) * 2n ** 32n + BigInt(part.sumLow[row]!);
      const [count, valued, lastMs] = [part.counts[row]!, part.valued[row]!, startMs + part.lastMsInMinute[row]!];
      minutes.set(name, { count, sum, valued, lastMs });
    }
  }
  const derived = async (granularity: "hour" | "day") => {
    const cells: GoldenCells = new Map();
    for await (const cell of counters.derivedCells(granularity, 0, 2 ** 40 * MINUTE_MS)) {
      const { count, sum, valued } = cell;
      cells.set(`${cell.startMs} ${cell.videoId} ${cell.eventType}`, { count, sum, valued, lastMs: Number.NaN });
    }
    return cells;
  };
  const totals: GoldenCells = new Map();
  for await (const { videoId, eventType, count, sum, valued, lastEventAtMs } of counters.allTotals()) {
    totals.set(`total ${videoId} ${eventType}`, { count, sum, valued, lastMs: lastEventAtMs });
  }
  return { minutes, hours: await derived("hour"), days: await derived("day"), totals };
}

export async function letters(...stores: DeadLetters[]): Promise<string[]> {
  const all = await Promise.all(stores.map((store) => store.list({ limit: 10_000 })));
  return all
    .flat()
    .map(({ reason, eventId }) => `${reason} ${eventId ?? "-"}`)
    .sort();
}

/** Every level the script's minute cells add up to. */
function expectedOutcome(script: GoldenScript): Outcome {
  const { minutes, ledger, deadLetters } = script;
  return {
    minutes: hasTiers(script) ? rolledUp(minutes, (startMs) => String(startMs), false) : minutes,
    hours: rolledUp(minutes, (startMs) => String(startMs - (startMs % HOUR_MS)), false),
    days: rolledUp(minutes, (startMs) => String(startMs - (startMs % DAY_MS)), false),
    totals: rolledUp(minutes, () => "total", true),
    ledger,
    deadLetters,
  };
}

/** Whether days of the script leave for roll-ups, which do not have the times of last events. */
const hasTiers = ({ asides = [] }: GoldenScript): boolean => asides.some(({ step }) => step.kind === "tier");

function rolledUp(minutes: GoldenCells, start: (startMs: number) => string, withLast: boolean): GoldenCells {
  const cells: GoldenCells = new Map();
  for (const [name, { count, sum, valued, lastMs }] of minutes) {
    const [startMs, ...cell] = name.split(" ");
    const key = [start(Number(startMs)), ...cell].join(" ");
    const known = cells.get(key) ?? { count: 0, sum: 0n, valued: 0, lastMs: withLast ? 0 : Number.NaN };
    cells.set(key, {
      count: known.count + count,
      sum: known.sum + sum,
      valued: known.valued + valued,
      lastMs: Math.max(known.lastMs, lastMs),
    });
  }
  return cells;
}

/** Asserts that the run left exactly what the script says, and that its books balance. */
export function expectOutcome(script: GoldenScript, outcome: Outcome): void {
  const expected = expectedOutcome(script);
  for (const { level, cells } of script.named) {
    const sums = (all: GoldenCells) =>
      new Map([...all].map(([name, { count, sum, valued }]) => [name, { count, sum, valued }]));
    expect(sums(outcome[level])).toEqual(sums(cells));
  }
  expect(readable(outcome, script)).toEqual(readable(expected, script));
  for (const [minute, { accepted, archived, counted, duplicate, late }] of outcome.ledger) {
    expect({ minute, accepted, archived }).toEqual({
      minute,
      accepted: counted + duplicate + late,
      archived: accepted,
    });
  }
}

/** Times as text and in order, with the script that they are of, so that a difference can be read. */
function readable({ ledger, deadLetters, ...levels }: Outcome, { scriptAt }: GoldenScript) {
  const start = (ms: number) => new Date(ms).toISOString() + (scriptAt === undefined ? "" : ` (${scriptAt(ms)})`);
  const time = (ms: number) => (Number.isNaN(ms) ? "" : ` last ${new Date(ms).toISOString()}`);
  const named = (name: string) => name.replace(/^\d+/, (ms) => start(Number(ms)));
  const lines = (cells: GoldenCells) =>
    [...cells]
      .map(([name, { count, sum, valued, lastMs }]) => `${named(name)} ${count} sum ${sum} of ${valued}${time(lastMs)}`)
      .sort();
  return {
    minutes: lines(levels.minutes),
    hours: lines(levels.hours),
    days: lines(levels.days),
    totals: lines(levels.totals),
    ledger: [...ledger].map(([minute, row]) => ({ minute: start(minute * MINUTE_MS), ...row })),
    deadLetters,
  };
}
