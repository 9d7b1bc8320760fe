// SPDX-License-Identifier: Apache-2.0
import type { RequestListener } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { Check } from "./readiness";

/**
 * The first part of a graceful stop. /readyz answers 503, so that balancers send no new connections, while every
 * request is still answered. Connections end with their next answer, because a balancer that keeps one would use it for
 * a request that no process reads. `Service` starts it at SIGTERM.
 */
export class Drain {
  readonly check: Check = {
    name: "service",
    required: true,
    look: async () => {
      if (this.#draining) throw new Error("stopping");
      return "runs";
    },
  };
  #draining = false;

  constructor(private readonly drainMs: number) {}

  /** Wraps the listener, so that its answers end their connections once the stop has begun. */
  before(listener: RequestListener): RequestListener {
    return (request, response) => {
      if (this.#draining) response.setHeader("Connection", "close");
      listener(request, response);
    };
  }

  /** Resolves when balancers have had their time. */
  async begin(): Promise<void> {
    this.#draining = true;
    await wait(this.drainMs);
  }
}
