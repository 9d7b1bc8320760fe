// SPDX-License-Identifier: Apache-2.0
import { sdk } from "./sdk";

/**
 * Defect 1. The data channel's handler is async and awaits per message, but the handlers of two messages have no order.
 * An `isLast` that arrives while an earlier message is being processed closes the bundle, which then reports success
 * without that data (20 of 20 runs with an async operator). Fix: one promise chain a consumer; after a failure the rest
 * of the chain is skipped.
 */
export function orderDataEvents(): void {
  const prototype = sdk.data.MultiplexingDataChannel.prototype;
  const registerConsumer = prototype.registerConsumer;
  prototype.registerConsumer = function (bundleId, transformId, consumer) {
    let tail: Promise<void> = Promise.resolve();
    let failed = false;
    const inOrder = (step: () => Promise<void> | void): Promise<void> => {
      const done = tail.then(async () => {
        if (failed) return;
        try {
          await step();
        } catch (error) {
          failed = true;
          throw error;
        }
      });
      tail = done.catch(() => undefined);
      return done;
    };
    return registerConsumer.call(this, bundleId, transformId, {
      sendData: (data) => inOrder(() => consumer.sendData(data)),
      sendTimers: (family, timers) => inOrder(() => consumer.sendTimers(family, timers)),
      close: () => {
        inOrder(() => consumer.close()).catch((error) => consumer.onError(error));
      },
      onError: (error) => {
        failed = true;
        consumer.onError(error);
      },
    });
  };
}
