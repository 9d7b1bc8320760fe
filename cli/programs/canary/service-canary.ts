// SPDX-License-Identifier: Apache-2.0
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Settings } from "../../config/schema";
import type { Check } from "../serve/readiness";
import { Canary } from "./canary";
import { ownFetch } from "./own-fetch";
import type { Round } from "./round";

/**
 * The canary of a service, which uses the service's own listener; absent where the configuration switches it off.
 * `serve` starts it.
 */
export class ServiceCanary {
  readonly checks: readonly Check[];
  #canary: Canary | undefined;

  constructor(
    private readonly config: Settings<"canary">,
    private readonly logger: Logger,
    private readonly registry: Registry,
    private readonly key: string,
  ) {
    const look = async () => (this.#canary === undefined ? "starts with the service" : this.#canary.look());
    // A failed round shows a fault, and does not show that another instance would do better.
    this.checks = config.canary.enabled ? [{ name: "canary", required: false, look }] : [];
  }

  begin(url: string): void {
    const { enabled, name, deadlineSeconds } = this.config.canary;
    if (!enabled) return;
    const headers = { Authorization: `Bearer ${this.key}` };
    // The service calls itself by an address, never by 0.0.0.0.
    const own = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
    const target = { url: own, headers, ...(own.startsWith("https:") && { fetch: ownFetch }) };
    this.#canary = new Canary({
      target: { ...target, name, deadlineMs: deadlineSeconds * 1000 },
      clock: Date.now,
      logger: this.logger,
      registry: this.registry,
    });
    this.#canary.start();
  }

  /** The last round that has ended. */
  get last(): Round | undefined {
    return this.#canary?.last;
  }

  async stop(): Promise<void> {
    await this.#canary?.stop();
  }
}
