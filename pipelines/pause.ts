// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from "node:timers/promises";

/**
 * Resolves after `ms`, or as soon as `stop` is aborted. The loops of the archiver, the audit and the embedded stream
 * wait with it. The client library has a pause of its own (client/exchange.ts), because browsers lack node:timers.
 */
export async function pause(ms: number, stop: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal: stop }).catch(() => {});
}
