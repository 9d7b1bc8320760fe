// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { FromResource, generate, runDirect, toBytes } from "../../engine";
import { DirectoryClaimStore } from "../../io/directory/claims";
import { encodeReference } from "../../io/formats/avro/reference";
import type { Message } from "../../transforms/elements";
import { resolveReferences } from "../../transforms/resolve-references";
import { RESOURCES } from "../../transforms/resource-names";
import { claimName } from "../io/ports/claim-store-contract";
import { removeFolders, temporaryFolder } from "../io/ports/condition";
import { event, message, withResources } from "./elements";

afterEach(removeFolders);

async function resolve(messages: readonly Message[], claims: DirectoryClaimStore) {
  const { outputs } = await withResources({ "test/messages": messages, [RESOURCES.claims]: claims }, () =>
    runDirect((root) => resolveReferences(generate(root, "Messages", new FromResource("test/messages")))),
  );
  return outputs;
}

const referenceTo = (name: string, payload: Uint8Array): Message => ({
  kind: "batch",
  payload: encodeReference({ name, sizeBytes: payload.byteLength, crc32: crc32(payload), events: 1 }),
});

test("a reference becomes its batch, and other messages stay as they are", async () => {
  const claims = new DirectoryClaimStore({ folder: join(temporaryFolder(), "claims") });
  const batches = Array.from({ length: 20 }, (_, n) => message([event(`e-${n}`)]));
  const names = batches.map(() => claimName());
  await Promise.all(batches.map(({ payload }, n) => claims.write(names[n]!, payload)));
  const odd: Message[] = [
    { kind: "batch", payload: Buffer.from("not a batch") },
    { kind: "archive", name: "a", minute: 5, content: Buffer.from("an object") },
    message([event("plain")], undefined, [3]),
  ];
  const references = batches.map(({ payload }, n) => referenceTo(names[n]!, payload));
  const { messages, dead } = await resolve([...odd, ...references], claims);
  expect(dead).toEqual([]);
  expect(messages).toEqual(expect.arrayContaining(odd));
  const payloads = messages.flatMap((one) =>
    one.kind === "batch" ? [Buffer.from(toBytes(one.payload)).toString("hex")] : [],
  );
  expect(messages).toHaveLength(23);
  for (const { payload } of batches) expect(payloads).toContain(Buffer.from(payload).toString("hex"));
});

test("a reference whose claim is missing is a dead letter, whole, dated by its claim's name", async () => {
  const claims = new DirectoryClaimStore({ folder: join(temporaryFolder(), "claims") });
  await claims.write(claimName(), Buffer.from("another"));
  const reference = referenceTo(claimName(), Buffer.from("gone"));
  const { messages, dead } = await resolve([reference, message([event("a")])], claims);
  expect(messages).toHaveLength(1);
  const receivedAtMs = Date.parse("2026-11-21T10:03:00Z");
  expect(dead).toMatchObject([{ reason: "not-avro", receivedAtMs, detail: expect.stringContaining("missing") }]);
  expect(Buffer.compare(toBytes(dead[0]!.payload), (reference as { payload: Uint8Array }).payload)).toBe(0);
});

test("a claim that cannot be read now fails the bundle", async () => {
  const claims = new DirectoryClaimStore({ folder: join(temporaryFolder(), "not-mounted") });
  await expect(resolve([referenceTo(claimName(), Buffer.from("away"))], claims)).rejects.toThrow(/ResolveReferences/);
});
