// SPDX-License-Identifier: Apache-2.0
/**
 * No failure of Redis is worth a retry: an answer that is not shared is read from the counters. shared-answers.ts asks
 * it before each call.
 */

/** After a failure Redis is left alone for so long: reads do not wait for it one by one. */
const REST_MS = 1_000;

interface RestOptions {
  /** Told once an outage: why Redis is left alone, and undefined when it answers again. */
  onChange: (trouble: Error | undefined) => void;
  now: () => number;
}

/** Whether Redis is left alone, after its last failure. */
export class Rest {
  #untilMs = 0;
  #troubled = false;

  constructor(private readonly options: RestOptions) {}

  get lasts(): boolean {
    return this.options.now() < this.#untilMs;
  }

  answered(): void {
    if (!this.#troubled) return;
    this.#troubled = false;
    this.options.onChange(undefined);
  }

  failed(error: Error): void {
    this.#untilMs = this.options.now() + REST_MS;
    if (this.#troubled) return;
    this.#troubled = true;
    this.options.onChange(error);
  }
}
