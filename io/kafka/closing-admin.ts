// SPDX-License-Identifier: Apache-2.0
import type { Admin } from "kafkajs";

/**
 * kafkajs's admin client connects again when a request that is under way at the disconnect makes its next attempt, and
 * then stays connected. `close` of this class waits for the requests under way, each of which ends by its own bounds,
 * and refuses further ones. The reader and the sender of this folder ask brokers with it.
 */
export class ClosingAdmin {
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;

  constructor(private readonly admin: Admin) {}

  async ask<Answer>(request: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    if (this.#closed) throw new Error("the client is closed");
    const asking = request(this.admin);
    this.#underWay.add(asking);
    try {
      return await asking;
    } finally {
      this.#underWay.delete(asking);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    await this.admin.disconnect().catch(() => undefined);
  }
}
