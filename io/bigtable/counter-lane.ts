// SPDX-License-Identifier: Apache-2.0
/**
 * Writes for some of the videos, one round at a time. Calls during a round share the next one. The counter store has a
 * lane for each share of its videos.
 */
import type { AheadHour, CellWrite } from "./counter-round";

interface Call {
  writes: readonly CellWrite[];
  /** How many of the cells are in rounds already. */
  taken: number;
  ahead: AheadHour[];
  resolve(ahead: AheadHour[]): void;
  reject(error: unknown): void;
}

/** Work that runs between two rounds. */
interface Pause {
  work(): Promise<void>;
}

/** The largest number of minutes of videos in a round: some 10 MB of requests and known rows. */
const MAX_ROUND_CELLS = 8_192;

export class CounterLane {
  #queue: (Call | Pause)[] = [];
  #running: Promise<void> | undefined;

  constructor(private readonly round: (writes: readonly CellWrite[]) => Promise<AheadHour[]>) {}

  write(writes: readonly CellWrite[]): Promise<AheadHour[]> {
    if (writes.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      this.#queue.push({ writes, taken: 0, ahead: [], resolve, reject });
      this.#start();
    });
  }

  /** Runs `work` while no round is under way. */
  alone(work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ work: () => work().then(resolve, reject) });
      this.#start();
    });
  }

  /** Resolves when no round is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #start(): void {
    this.#running ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#run());
  }

  async #run(): Promise<void> {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if ("work" in first) {
        this.#queue.shift();
        await first.work();
      } else await this.#next();
    }
    this.#running = undefined;
  }

  async #next(): Promise<void> {
    const writes: CellWrite[] = [];
    const taking: Call[] = [];
    for (const call of this.#queue) {
      const room = MAX_ROUND_CELLS - writes.length;
      if (room <= 0 || "work" in call) break;
      const part = call.writes.slice(call.taken, call.taken + room);
      call.taken += part.length;
      for (const write of part) writes.push(write);
      taking.push(call);
    }
    const ended = new Set<Call | Pause>();
    try {
      const ahead = await this.round(writes);
      for (const call of taking) {
        call.ahead.push(...ahead);
        if (call.taken < call.writes.length) continue;
        ended.add(call);
        call.resolve(call.ahead);
      }
    } catch (error) {
      for (const call of taking) {
        ended.add(call);
        call.reject(error);
      }
    }
    this.#queue = this.#queue.filter((call) => !ended.has(call));
  }
}
