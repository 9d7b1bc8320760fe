// SPDX-License-Identifier: Apache-2.0
import { createKey, NewKeyError, shownKey } from "../admission/new-key";
import { DAY_MS } from "../domain/rules/time";
import { plainJson, refused } from "./answer";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { invalid, noSuchKey } from "./problem";
import { createdKeySchema, keyIdSchema, keysSchema, newKeyAsked, nothingAsked, revokedKeySchema } from "./schemas";

type Keys = NonNullable<QueryDependencies["accessKeys"]>;

/**
 * Returns the endpoints of /v1/keys, which manage access keys; none where the service has no store of keys. Operators
 * call them.
 */
export function keyEndpoints({ accessKeys, clock }: QueryDependencies): Endpoint[] {
  return accessKeys === undefined
    ? []
    : [getKeys(accessKeys, clock), postKey(accessKeys, clock), deleteKey(accessKeys, clock)];
}

function getKeys(store: Keys, clock: () => number): Endpoint {
  return endpoint({
    method: "get",
    path: "/v1/keys",
    query: nothingAsked,
    operation: {
      operationId: "listKeys",
      tag: "operation",
      scope: "operate",
      summary: "Every access key, without its secret",
      description: "The oldest first; revoked and expired ones too.",
      answer: keysSchema,
      problems: [503],
    },
    async handle() {
      const nowMs = clock();
      const keys = await store.list(Math.floor(nowMs / DAY_MS));
      return plainJson({ keys: keys.map((key) => shownKey(key, nowMs)) });
    },
  });
}

function postKey(store: Keys, clock: () => number): Endpoint {
  return endpoint({
    method: "post",
    path: "/v1/keys",
    query: nothingAsked,
    body: newKeyAsked,
    operation: {
      operationId: "createKey",
      tag: "operation",
      scope: "operate",
      summary: "Makes an access key",
      description:
        "`key` is in this answer and nowhere else: the service keeps its hash. The key works at once on the instance that answers, and within 10 seconds on the others.",
      answer: createdKeySchema,
      problems: [400, 413, 415, 503],
    },
    async handle({ body }) {
      const nowMs = clock();
      try {
        const { key, text } = await createKey(store, body, nowMs);
        return plainJson({ ...shownKey(key, nowMs), key: text });
      } catch (error) {
        if (error instanceof NewKeyError) return refused(invalid(error.message));
        throw error;
      }
    },
  });
}

function deleteKey(store: Keys, clock: () => number): Endpoint {
  return endpoint({
    method: "delete",
    path: "/v1/keys/{keyId}",
    match: /^\/v1\/keys\/([^/]+)\/?$/,
    query: nothingAsked,
    operation: {
      operationId: "revokeKey",
      tag: "operation",
      scope: "operate",
      summary: "Revokes an access key",
      description:
        "The instance that answers takes the key no longer, and no instance takes it after 10 seconds. To revoke it again changes nothing.",
      answer: revokedKeySchema,
      problems: [404, 503],
    },
    async handle({ keyId }) {
      const isRevoked = keyIdSchema.safeParse(keyId).success && (await store.revoke(keyId, clock()));
      return isRevoked ? plainJson({ id: keyId, state: "revoked" }) : refused(noSuchKey());
    },
  });
}
