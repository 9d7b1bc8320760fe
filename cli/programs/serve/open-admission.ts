// SPDX-License-Identifier: Apache-2.0
import { isIP } from "node:net";
import type { Logger } from "pino";
import { Admission } from "../../../admission/admission";
import { KeyRing } from "../../../admission/key-ring";
import { hashOf, newKeyText } from "../../../admission/key-text";
import type { KeyLimits } from "../../../io/ports/access-keys";
import type { Settings } from "../../config/schema";
import { readSecret } from "../../config/secret-file";
import { openAccessKeys } from "../../deployment/open-access-keys";

/** The base64 characters of 192 random bits. */
const OPERATOR_KEY_CHARACTERS = 32;

/** Thrown with one clear line for a service that would be open to everybody who reaches it. */
class OpenServiceError extends Error {
  override readonly name = "OpenServiceError";
}

interface OpenAdmission {
  admission: Admission;
  /** The keys to list and to change; changes hold at once on this instance. */
  store: ReturnType<KeyRing["changing"]>;
  /** The key for requests of this process to its own service. */
  ownKey: string;
  close(): Promise<void>;
}

/**
 * Rejects with OpenServiceError, SecretFileError, StoreUnavailableError. `serve` opens it with its stores, before it
 * listens.
 */
export async function openAdmission(
  config: Settings<"counters" | "data" | "http" | "keys" | "project">,
  logger: Logger,
): Promise<OpenAdmission> {
  const { operatorKeyFile } = config.keys;
  const operatorKey =
    operatorKeyFile === "" ? "" : readSecret(operatorKeyFile, "keys.operatorKeyFile", OPERATOR_KEY_CHARACTERS);
  const store = await openAccessKeys(config);
  const { text: ownKey, hash: ownKeyHash } = newKeyText(false);
  const keys = await KeyRing.open({
    store,
    clock: Date.now,
    logger,
    ownKeyHash,
    ...(operatorKey === "" ? {} : { operatorKeyHash: hashOf(operatorKey) }),
  });
  const close = async () => {
    await keys.close();
    await store.close();
  };
  const { host, operations, insecure, cors } = config.http;
  // The listener for operators answers every path, too.
  const hosts = operations.enabled ? [host, operations.host] : [host];
  const beyond = hosts.find((one) => !isLoopback(one));
  if (!keys.required && !insecure && beyond !== undefined) {
    await close();
    throw new OpenServiceError(
      `the service would listen on ${beyond} and has no keys: make one with \`viewmill keys create --scope operate --name NAME\`, name a keys.operatorKeyFile, or say --insecure`,
    );
  }
  const admission = new Admission({
    keys,
    origins: cors.origins,
    defaultLimits: defaultLimits(config),
    clock: Date.now,
  });
  return { admission, store: keys.changing(), ownKey, close };
}

/**
 * Returns whether only this machine reaches the address. A name other than localhost (RFC 6761) may stand for any
 * address.
 */
function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 4) return host.startsWith("127.");
  if (version === 6) return /^(?:0{0,4}:){2,7}0{0,3}1$/.test(host);
  return host === "localhost";
}

function defaultLimits({ keys }: Settings<"keys">): KeyLimits {
  const { requestsPerSecond, eventsPerSecond, bytesPerSecond, eventsPerDay } = keys;
  const all = { requestsPerSecond, eventsPerSecond, bytesPerSecond, eventsPerDay };
  return Object.fromEntries(Object.entries(all).filter(([, limit]) => limit > 0));
}
