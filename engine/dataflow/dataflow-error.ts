// SPDX-License-Identifier: Apache-2.0
/** The one error of this folder. An application tells its user by the kind what is missing. */

/** Thrown when one of Google's APIs refuses a request, or does not answer in time. */
export class DataflowError extends Error {
  override readonly name = "DataflowError";

  constructor(
    message: string,
    /**
     * Why Google refused the request, or why there is no answer. `no-credentials`: there are none. `unreachable`: no
     * server answered. `timeout`: no complete answer arrived in time. The other kinds name the refusal: the caller
     * lacks the permission, the object does not exist, one of that name exists already, the request is invalid, or the
     * job failed.
     */
    readonly kind:
      | "no-credentials"
      | "unreachable"
      | "timeout"
      | "denied"
      | "not-found"
      | "exists"
      | "refused"
      | "failed",
    options?: ErrorOptions & { status?: number },
  ) {
    super(message, options);
    this.status = options?.status;
  }

  /** The HTTP status of the answer, where there was one. */
  readonly status: number | undefined;
}

/** Returns the kind of an answer that is not a success. */
export function kindOfStatus(status: number): DataflowError["kind"] {
  if (status === 401) return "no-credentials";
  if (status === 403) return "denied";
  if (status === 404) return "not-found";
  if (status === 409) return "exists";
  return status === 408 || status === 429 || status >= 500 ? "unreachable" : "refused";
}
