// SPDX-License-Identifier: Apache-2.0
/** A question to a gRPC server whose answer shows that the server is up. The starts of the emulators wait for it. */
import { Client, credentials, status } from "@grpc/grpc-js";

const ANSWER_MS = 10_000;

/**
 * One unary call with the request's bytes as they are. True when the server answered it, with whatever but UNAVAILABLE
 * and DEADLINE_EXCEEDED, which also the client says of itself.
 */
export function grpcAnswers(address: string, method: string, request: Uint8Array = new Uint8Array()): Promise<boolean> {
  const client = new Client(address, credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
  const bytes = (value: Buffer): Buffer => value;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method,
      bytes,
      bytes,
      Buffer.from(request),
      { deadline: Date.now() + ANSWER_MS } as never,
      (error) => {
        client.close();
        if (error === null) resolve(true);
        else if (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED) reject(error);
        else resolve(true);
      },
    );
  });
}

/** A protobuf message whose field 1 is a text of less than 128 bytes. */
export function messageWithText(text: string): Uint8Array {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > 127) throw new RangeError(`${text} is too long`);
  return Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes]);
}
