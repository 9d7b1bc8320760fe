// SPDX-License-Identifier: Apache-2.0
/** The `authorization` header of requests to Google. Each request asks for it (objects.ts). */
import { StoreUnavailableError } from "../ports";

export type Credentials = () => Promise<Record<string, string>>;

export const NO_CREDENTIALS: Credentials = async () => ({});

/**
 * Returns application default credentials, by Google's own library, which keeps a token until shortly before it
 * expires. The library is loaded at the first request, because loading takes a third of a second, and an emulator needs
 * no credentials.
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
