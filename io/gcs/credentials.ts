// SPDX-License-Identifier: Apache-2.0
/** The `authorization` header of requests to Cloud Storage. objects.ts asks for it before each request. */
import { StoreUnavailableError } from "../ports";

export type Credentials = () => Promise<Record<string, string>>;

export const NO_CREDENTIALS: Credentials = async () => ({});

/**
 * Returns application default credentials. Google's own library finds them (the file that
 * GOOGLE_APPLICATION_CREDENTIALS names, gcloud's own, or the metadata server of the machine) and keeps a token until
 * shortly before the token expires. The library is loaded at the first request, because loading takes a third of a
 * second, and an emulator needs no credentials.
 */
export function applicationDefaultCredentials(): Credentials {
  let client: Promise<{ getRequestHeaders(): Promise<Headers> }> | undefined;
  return async () => {
    client ??= import("@google-cloud/storage").then(({ Storage }) => new Storage().authClient);
    const auth = await client;
    try {
      return Object.fromEntries(await auth.getRequestHeaders());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StoreUnavailableError(`no Google credentials: ${reason}`, { cause: error });
    }
  };
}
