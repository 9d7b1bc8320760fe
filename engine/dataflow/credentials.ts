// SPDX-License-Identifier: Apache-2.0
/** Access tokens for the requests of this folder (google-rest.ts). */
import { DataflowError } from "./dataflow-error";

/**
 * Resolves with an access token that is valid for at least some minutes. Rejects with a DataflowError "no-credentials".
 */
export type AccessToken = () => Promise<string>;

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

/**
 * Returns tokens of application default credentials, by Google's own library, which keeps a token until shortly before
 * it expires. The library is loaded at the first request, because loading takes a third of a second.
 */
export function applicationDefaultToken(): AccessToken {
  let auth: Promise<{ getAccessToken(): Promise<string | null | undefined> }> | undefined;
  return async () => {
    auth ??= import("google-auth-library").then(({ GoogleAuth }) => new GoogleAuth({ scopes: SCOPE }));
    try {
      const token = await (await auth).getAccessToken();
      if (token) return token;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new DataflowError(`no Google credentials: ${reason}`, "no-credentials", { cause: error });
    }
    throw new DataflowError("no Google credentials: the library gives no token", "no-credentials");
  };
}
