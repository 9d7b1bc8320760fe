// SPDX-License-Identifier: Apache-2.0
/**
 * The properties of a new access key, and its creation. `viewmill keys create`, the admin endpoint of the read API and
 * the keys of a configuration file go through it.
 */
import { z } from "zod";
import { EVENT_TYPE_PATTERN, isEventType } from "../domain/event";
import { type AccessKey, type AccessKeys, type KeyLimits, type ListedKey, SCOPES } from "../io/ports/access-keys";
import { newKeyText } from "./key-text";

const MAX_NAME_CHARACTERS = 100;
const MAX_LISTED = 100;
/** The ranges of `\p{Cc}`, which not every reader of the OpenAPI document knows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern is there to refuse them
const NO_CONTROL_CHARACTERS = /^[^\u0000-\u001f\u007f-\u009f]*$/u;

/** Returns whether the text is an origin as browsers send it (RFC 6454), or `*`. */
export function isOrigin(text: string): boolean {
  return (
    text === "*" || (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text)
  );
}

const perSecond = (description: string) =>
  z
    .number()
    .gt(0)
    .max(1e12)
    .optional()
    .meta({ description: `${description}; without it: the deployment's default` });

/** The properties of a new key, as the command line and the admin endpoint accept them. */
export const newKeySchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(MAX_NAME_CHARACTERS)
      .regex(NO_CONTROL_CHARACTERS, "must hold no control characters")
      .meta({ description: "Whose it is; shown in lists" }),
    scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
    public: z
      .boolean()
      .default(false)
      .meta({ description: "Stands in pages, also as ?key=: scope write and nothing else" }),
    eventTypes: z
      .array(z.string().refine(isEventType, "must match [A-Z][A-Z0-9_]{0,31}").meta({ pattern: EVENT_TYPE_PATTERN }))
      .min(1)
      .max(MAX_LISTED)
      .optional()
      .meta({ description: "Of a key with scope write; without it: all" }),
    origins: z
      .array(z.string().refine(isOrigin, "is an origin such as https://example.com, or *"))
      .min(1)
      .max(MAX_LISTED)
      .optional()
      .meta({ description: "Pages that may use it; without it: all, and programs" }),
    expiresAt: z.iso.datetime({ offset: true }).optional().meta({ description: "A time to come; without it: never" }),
    limits: z
      .strictObject({
        requestsPerSecond: perSecond("Of one instance"),
        eventsPerSecond: perSecond("Of one instance"),
        bytesPerSecond: perSecond("Of one instance, of bodies as they are sent"),
        eventsPerDay: z.int().min(1).optional().meta({ description: "Of the whole deployment, by day in UTC" }),
      })
      .prefault({}),
  })
  .refine(({ public: isPublic, scopes }) => !isPublic || scopes.every((scope) => scope === "write"), {
    path: ["scopes"],
    message: "a public key may write and nothing else",
  })
  .refine(({ eventTypes, scopes }) => eventTypes === undefined || scopes.includes("write"), {
    path: ["eventTypes"],
    message: "a key without scope write sends no events of any type",
  });

type NewKey = z.output<typeof newKeySchema>;

/** Thrown for a key that would never be valid. The message is one line that names the property. */
export class NewKeyError extends Error {
  override readonly name = "NewKeyError";
}

/**
 * Creates a key and stores it. The answer holds `text`, which no later answer can show. Rejects with `NewKeyError`, and
 * with `StoreUnavailableError`.
 */
export async function createKey(
  store: Pick<AccessKeys, "add">,
  { name, scopes, public: isPublic, eventTypes, origins, expiresAt, limits }: NewKey,
  nowMs: number,
): Promise<{ key: AccessKey; text: string }> {
  if (expiresAt !== undefined && !(Date.parse(expiresAt) > nowMs))
    throw new NewKeyError(`expiresAt: a time to come is wanted, not ${expiresAt}`);
  const { id, text, hash } = newKeyText(isPublic);
  const key: AccessKey = {
    id,
    name,
    hash,
    scopes: SCOPES.filter((scope) => scopes.includes(scope)),
    isPublic,
    ...(eventTypes === undefined ? {} : { eventTypes }),
    ...(origins === undefined ? {} : { origins }),
    limits: Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined)) as KeyLimits,
    createdAtMs: nowMs,
    ...(expiresAt === undefined ? {} : { expiresAtMs: Date.parse(expiresAt) }),
  };
  await store.add(key);
  return { key, text };
}

/** Returns the properties of a key that every operator may see. */
export function shownKey(key: AccessKey & Partial<ListedKey>, nowMs: number): Record<string, unknown> {
  const { id, name, scopes, isPublic, eventTypes, origins, limits, createdAtMs, expiresAtMs } = key;
  const { revokedAtMs, lastUsedAtMs } = key;
  return {
    id,
    name,
    scopes,
    public: isPublic,
    ...(eventTypes && { eventTypes }),
    ...(origins && { origins }),
    limits,
    state: revokedAtMs !== undefined ? "revoked" : (expiresAtMs ?? nowMs + 1) <= nowMs ? "expired" : "active",
    createdAt: iso(createdAtMs),
    ...(expiresAtMs === undefined ? {} : { expiresAt: iso(expiresAtMs) }),
    ...(revokedAtMs === undefined ? {} : { revokedAt: iso(revokedAtMs) }),
    ...(lastUsedAtMs === undefined ? {} : { lastUsedAt: iso(lastUsedAtMs) }),
  };
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();
