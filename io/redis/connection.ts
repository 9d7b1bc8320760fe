// SPDX-License-Identifier: Apache-2.0
/** The client of Redis, with its reconnects, for the shared answers. */
import { createClient } from "@redis/client";
import { CONNECT_TIMEOUT_MS, MAX_WAITING, RECONNECT_MS, type RedisAnswersOptions } from "./config";

export type RedisClient = ReturnType<typeof createClient>;

/** Returns a client that connects by and by, and again whenever the connection breaks. `onError` gets each failure. */
export function connectedClient(
  { url, username, password }: Pick<RedisAnswersOptions, "url" | "username" | "password">,
  onError: (error: Error) => void,
): RedisClient {
  const client = createClient({
    url,
    ...(username && { username }),
    ...(password && { password }),
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_WAITING,
    socket: { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: RECONNECT_MS },
  });
  client.on("error", onError);
  client.connect().catch(onError);
  return client as RedisClient;
}
