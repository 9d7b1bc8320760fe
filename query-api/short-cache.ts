// SPDX-License-Identifier: Apache-2.0
import { type Answer, aged } from "./answer";

interface Entry {
  answer: Promise<Answer>;
  askedAtMs: number;
  doneAtMs: number | undefined;
}

/**
 * Keeps answers for a moment. Identical questions that are asked while one of them is being answered, or within
 * `keepMs` after, share its answer, with its Age. A failed answer is not kept. At most `maxRunning` different questions
 * run at once. Rankings and other costly answers are kept in it.
 */
export class ShortCache {
  readonly #entries = new Map<string, Entry>();
  #running = 0;

  /** `tick`: milliseconds of a clock that only goes forward, so that a clock put back keeps no answer longer. */
  constructor(private readonly options: { keepMs: number; maxRunning: number; maxKept: number; tick: () => number }) {}

  /** Returns the shared answer, or undefined where too many questions run already. */
  ask(question: string, answer: () => Promise<Answer>): Promise<Answer> | undefined {
    const { keepMs, maxRunning, tick } = this.options;
    const known = this.#entries.get(question);
    if (known !== undefined && (known.doneAtMs === undefined || tick() - known.doneAtMs < keepMs))
      return known.answer.then((kept) => aged(kept, tick() - known.askedAtMs));
    if (this.#running >= maxRunning) return undefined;
    this.#entries.delete(question);
    const entry: Entry = { askedAtMs: tick(), answer: this.#run(answer), doneAtMs: undefined };
    this.#entries.set(question, entry);
    entry.answer.then(
      () => {
        entry.doneAtMs = tick();
        this.#forgetOldest();
      },
      () => this.#entries.delete(question),
    );
    return entry.answer;
  }

  async #run(answer: () => Promise<Answer>): Promise<Answer> {
    this.#running++;
    try {
      return await answer();
    } finally {
      this.#running--;
    }
  }

  /** Entries are in the order in which they were asked. A running question is never forgotten. */
  #forgetOldest(): void {
    const { keepMs, maxKept, tick } = this.options;
    for (const [question, { doneAtMs }] of this.#entries) {
      if (doneAtMs === undefined) continue;
      if (this.#entries.size <= maxKept && tick() - doneAtMs < keepMs) return;
      this.#entries.delete(question);
    }
  }
}
