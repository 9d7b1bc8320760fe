// SPDX-License-Identifier: Apache-2.0
import Module, { createRequire } from "node:module";

/**
 * Defect 17. The root of the SDK loads Google's Pub/Sub client, with more than 300 modules below it, for two transforms
 * that code a message. Every worker and command spends two fifths of the engine's loading time on it. Fix: a stand-in
 * that loads the client at the first use. The stand-in is in the place where the SDK's own `require` looks, and only
 * until the SDK is loaded.
 */
export function loadPubSubWhenAsked(): void {
  const requireAsSdk = createRequire(require.resolve("apache-beam"));
  const file = requireAsSdk.resolve("@google-cloud/pubsub");
  if (require.cache[file] !== undefined) return;
  const standIn = new Module(file);
  standIn.loaded = true;
  standIn.exports = new Proxy(
    {},
    {
      get: (_target, name) =>
        // This name marks a module that needs no wrapping. Without it the SDK would read every name at once.
        name === "__esModule" ? true : Reflect.get(requireAsSdk("@google-cloud/pubsub") as object, name),
    },
  );
  require.cache[file] = standIn;
  try {
    require("apache-beam");
  } finally {
    delete require.cache[file];
  }
}
