// SPDX-License-Identifier: Apache-2.0
/** The size of messages between a worker and its runner. */
import * as grpc from "@grpc/grpc-js";
import { sdk } from "./sdk";

/** The options of every Fn API client of this process. A worker adds its keepalive before it opens the first client. */
export const fnClientOptions: grpc.ClientOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
};

class UnlimitedClient extends grpc.Client {
  constructor(address: string, credentials: grpc.ChannelCredentials, options: grpc.ClientOptions = {}) {
    super(address, credentials, { ...options, ...fnClientOptions });
  }
}

/**
 * Defect 3. The Fn API clients keep gRPC's default limit of 4 MiB a message. A bigger element (the result of a
 * GroupByKey is one element) breaks the data stream, which the SDK only logs, and the bundle hangs for ever. Fix: no
 * limit, by a class between each client and grpc.Client (`super` looks its constructor up at the call, so the order of
 * loading does not matter).
 */
export function liftMessageSize(): void {
  const clients = sdk.fnClients;
  for (const client of [
    clients.BeamFnControlClient,
    clients.BeamFnDataClient,
    clients.BeamFnStateClient,
    clients.BeamFnLoggingClient,
  ]) {
    Object.setPrototypeOf(client, UnlimitedClient);
  }
}
