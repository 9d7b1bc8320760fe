// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../domain/rules/time";
import {
  type AwaitableDoFn,
  awaitableParDo,
  type PCollection,
  register,
  resource,
  splitByTag,
  type Tagged,
  toBytes,
} from "../engine";
import { isReference } from "../io/formats/avro/reference";
import { resolveReference } from "../io/formats/claim-check/resolve-reference";
import type { ClaimStore } from "../io/ports";
import type { BatchMessage, DeadElement, Message } from "./elements";
import { RESOURCES } from "./resource-names";

/** Claims are large, and each is whole in memory until it is decoded. */
const READS_IN_FLIGHT = 4;

type ResolvedMessages = {
  messages: Message;
  dead: DeadElement;
};

/**
 * Replaces each message that refers to a batch by the batch itself (claim check). In: messages of the log. Out:
 * `messages`; a message without a reference passes unchanged. Rejects: `dead`, references whose claim is missing or
 * damaged, whole; a claim that cannot be read now fails the bundle. Windowing: as given. Replay: reads the same bytes
 * again, while claims are kept for longer than messages. The streaming job of a cluster has this step before it admits
 * event types.
 */
export function resolveReferences(messages: PCollection<Message>) {
  const resolving = awaitableParDo<Message, Tagged<ResolvedMessages>>(
    "ResolveReferences",
    new ResolveReferences(RESOURCES.claims),
    { maxInFlight: READS_IN_FLIGHT },
  );
  return splitByTag<ResolvedMessages>("ByResolution", messages.apply(resolving), { messages: true, dead: true });
}

export class ResolveReferences implements AwaitableDoFn<Message, Tagged<ResolvedMessages>> {
  constructor(readonly claimsResource: string) {}

  process(message: Message): Tagged<ResolvedMessages>[] | Promise<Tagged<ResolvedMessages>[]> {
    if (message.kind !== "batch") return [{ messages: message }];
    const payload = toBytes(message.payload);
    return isReference(payload) ? this.resolved(message, payload) : [{ messages: message }];
  }

  private async resolved(message: BatchMessage, payload: Uint8Array): Promise<Tagged<ResolvedMessages>[]> {
    const resolved = await resolveReference(payload, resource<ClaimStore>(this.claimsResource));
    if (resolved.kind === "payload") return [{ messages: { ...message, payload: resolved.payload } }];
    const { reason, detail, minute = 0 } = resolved;
    const receivedAtMs = message.appendedAtMs ?? minute * MINUTE_MS;
    return [
      { dead: { reason, detail, receivedAtMs, payload, contentType: "application/vnd.viewmill.reference+avro" } },
    ];
  }
}

register(module);
