// SPDX-License-Identifier: Apache-2.0
import type * as grpc from "@grpc/grpc-js";

type Callback<Answer> = (error: grpc.ServiceError | null, answer?: Answer) => void;

/**
 * Sends a unary call with a deadline. Rejects with gRPC's ServiceError (code, details), with code 4 once `timeoutMs`
 * have passed. The boot of a worker and the submission of a job call with it.
 */
export function unaryCall<Answer>(
  timeoutMs: number,
  call: (options: grpc.CallOptions, callback: Callback<Answer>) => unknown,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    call({ deadline: Date.now() + timeoutMs }, (error, answer) => {
      if (error !== null) reject(error);
      else if (answer === undefined) reject(new Error("the server answered nothing"));
      else resolve(answer);
    });
  });
}
