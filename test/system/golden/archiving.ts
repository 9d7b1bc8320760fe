// SPDX-License-Identifier: Apache-2.0
import pino from "pino";
import type { Config } from "../../../cli/config/schema";
import type { Deployment } from "../../../cli/deployment/deployment";
import { openSubscription } from "../../../cli/deployment/open-log";
import { runArchiver } from "../../../pipelines/archiver/archiver";

const OPTIONS = {
  maxPortionMessages: 100,
  maxPortionBytes: 1 << 20,
  maxPortionAgeMs: 50,
  portionsInFlight: 2,
  progressIntervalMs: 100,
};

/** The archiver of a run of a script, in this process. */
export class Archiving {
  private archived = 0;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  static async start(config: Config, { archive, ledger }: Deployment): Promise<Archiving> {
    const subscription = await openSubscription(config, pino({ level: "silent" }));
    const archiving = new Archiving();
    archiving.running = runArchiver(
      {
        subscription,
        archive,
        ledger: ledger,
        payloadOf: async ({ payload }) => payload,
        reader: { name: "archiver", leaseMs: 60_000 },
        clock: Date.now,
      },
      OPTIONS,
      archiving.stopping.signal,
      ({ messages }) => {
        archiving.archived += messages;
      },
    ).finally(() => subscription.close());
    return archiving;
  }

  /** Messages so far. */
  get messages(): number {
    return this.archived;
  }

  /** Rejects with what ended it before. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }
}
