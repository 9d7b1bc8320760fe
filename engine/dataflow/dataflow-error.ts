// SPDX-License-Identifier: Apache-2.0
/** An answer of Google's APIs that says no, or none in time. */
export class DataflowError extends Error {
  override readonly name = "DataflowError";

  constructor(
    message: string,
    /**
     * What kind of no: there are no credentials, nobody answered, no whole answer in time, the caller may not, there is
     * no such thing, one of that name is there already, the request was refused, the job failed.
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

/** The kind of an answer that is no success. */
export function kindOfStatus(status: number): DataflowError["kind"] {
  if (status === 401) return "no-credentials";
  if (status === 403) return "denied";
  if (status === 404) return "not-found";
  if (status === 409) return "exists";
  return status === 408 || status === 429 || status >= 500 ? "unreachable" : "refused";
}
