// SPDX-License-Identifier: Apache-2.0
import { sdk } from "./sdk";

/**
 * Defect 7. Worker.wait() is a timer of 1e9 ms: it resolves after 11.6 days with the runner still there, and never when
 * the runner has gone. Fix: the promise resolves when the control channel ends, and rejects when the channel breaks.
 */
export function waitForControlChannel(): void {
  sdk.worker.Worker.prototype.wait = function () {
    const channel = this.controlChannel;
    return new Promise((resolve, reject) => {
      if (channel.readableEnded || channel.destroyed) resolve();
      channel.once("end", () => resolve());
      channel.once("error", reject);
    });
  };
}
