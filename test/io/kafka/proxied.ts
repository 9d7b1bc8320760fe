// SPDX-License-Identifier: Apache-2.0
import { connect } from "node:net";
import type { KafkaConnection } from "../../../io/kafka/config";
import type { FaultProxy } from "../../../servers";

/** The way to the brokers leads through the proxy, whatever address they advertise. */
export function through(proxy: FaultProxy): KafkaConnection {
  const at = proxy.address.lastIndexOf(":");
  const target = { host: proxy.address.slice(0, at), port: Number(proxy.address.slice(at + 1)) };
  return {
    brokers: [proxy.address],
    socketFactory: ({ onConnect }) => connect(target, onConnect),
    requestTimeoutMs: 1_000,
  };
}
