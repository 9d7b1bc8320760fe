// SPDX-License-Identifier: Apache-2.0
/**
 * One request in Kafka's own protocol, by hand: a client library brings retries, loggers and warnings that a question
 * does not need. The start of Kafka waits with it, and `npm run servers -- status` asks it.
 */
import { connect } from "node:net";

const ANSWER_MS = 5_000;
const METADATA = 3;
const VERSION = 1;

/** Metadata v1 of no topic: https://kafka.apache.org/protocol#The_Messages_Metadata */
function metadataRequest(): Buffer {
  const client = Buffer.from("viewmill-servers");
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + client.length + 4);
  request.writeInt32BE(request.length - 4, 0);
  request.writeInt16BE(METADATA, 4);
  request.writeInt16BE(VERSION, 6);
  // Correlation id 0 at 8; then the client's name, then an empty array.
  request.writeInt16BE(client.length, 12);
  client.copy(request, 14);
  return request;
}

/** True when a broker is registered and a controller is known. */
function isServing(answer: Buffer): boolean {
  let at = 4 + 4;
  const brokers = answer.readInt32BE(at);
  at += 4;
  for (let broker = 0; broker < brokers; broker++) {
    at += 4;
    at += 2 + answer.readInt16BE(at);
    at += 4;
    at += 2 + Math.max(answer.readInt16BE(at), 0);
  }
  return brokers > 0 && answer.readInt32BE(at) >= 0;
}

/** `bootstrap` is `host:port`. Rejects when no broker answers within 5 s. */
export function kafkaAnswers(bootstrap: string): Promise<boolean> {
  const [host, port] = bootstrap.split(":");
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    const socket = connect({ host: host!, port: Number(port) }, () => socket.write(metadataRequest()));
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`Kafka said nothing for ${ANSWER_MS} ms`)));
    socket.on("data", (bytes) => {
      answer = Buffer.concat([answer, bytes]);
      if (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) return;
      resolve(isServing(answer));
      socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("Kafka closed the connection without an answer")));
  });
}
