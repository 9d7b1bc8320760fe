// SPDX-License-Identifier: Apache-2.0
import { sdk } from "./sdk";

/**
 * Defect 5. The data channel keeps an empty map of consumers for every bundle it ever served (about 253 B a bundle, for
 * ever). Fix: forget the bundle with its last consumer.
 */
export function forgetFinishedBundles(): void {
  const prototype = sdk.data.MultiplexingDataChannel.prototype;
  const unregisterConsumer = prototype.unregisterConsumer;
  prototype.unregisterConsumer = function (bundleId, transformId) {
    unregisterConsumer.call(this, bundleId, transformId);
    const { consumers } = this as unknown as { consumers: Map<string, Map<string, unknown>> };
    if (consumers.get(bundleId)?.size === 0) consumers.delete(bundleId);
  };
}
