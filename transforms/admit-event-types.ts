// SPDX-License-Identifier: Apache-2.0
import { type AwaitableDoFn, awaitableParDo, type PCollection, register, resource } from "../engine";
import { KnownEventTypes, unknownTypes } from "../intake/known-types";
import type { MessageRules } from "../intake/take-message";
import type { EventTypes } from "../io/ports";
import type { BatchMessage, Message } from "./elements";
import { judge } from "./read-message";
import { RESOURCES } from "./resource-names";

const ASKED_AT_ONCE = 16;

interface AdmitOptions {
  /** The largest number of event types of the deployment. */
  maxEventTypes: number;
  /** Those of the decoding step behind, which takes the verdict on a message from this one (read-message.ts). */
  rules: Omit<MessageRules, "admitsType">;
}

/**
 * Asks the deployment for the event types of messages that did not come through the write API, and notes the refused
 * types in the message. In: messages of the log, references resolved. Out: the same messages, a few with
 * `refusedTypes`. Rejects: none; a store that does not answer fails the bundle. Windowing: as given. Replay: the same
 * answer, because the set of types only grows up to its bound. The streaming job of a cluster has this step
 * (pipelines/stream/count-log.ts), because direct producers pass no write API.
 */
export function admitEventTypes(messages: PCollection<Message>, options: AdmitOptions): PCollection<Message> {
  const admitting = new AdmitEventTypes(RESOURCES.eventTypes, options);
  return messages.apply(awaitableParDo<Message, Message>("AdmitEventTypes", admitting, { maxInFlight: ASKED_AT_ONCE }));
}

/** The event types that the worker knows, by the resource that was asked. */
const knownOf = new WeakMap<EventTypes, KnownEventTypes>();

export class AdmitEventTypes implements AwaitableDoFn<Message, Message> {
  constructor(
    readonly typesResource: string,
    readonly options: AdmitOptions,
  ) {}

  process(message: Message): Message[] | Promise<Message[]> {
    // Messages of the write API and archived messages are admitted already.
    if (message.kind !== "batch" || message.appendedAtMs === undefined) return [message];
    const known = this.known();
    const unknown = unknownTypes(judge(message, this.options.rules), known);
    return unknown.length === 0 ? [message] : this.asked(message, unknown, known);
  }

  private known(): KnownEventTypes {
    const types = resource<EventTypes>(this.typesResource);
    let known = knownOf.get(types);
    if (known === undefined) {
      known = new KnownEventTypes(types, this.options.maxEventTypes);
      knownOf.set(types, known);
    }
    return known;
  }

  private async asked(message: BatchMessage, unknown: readonly string[], known: KnownEventTypes): Promise<Message[]> {
    await known.settle(unknown);
    const refusedTypes = unknown.filter((type) => !known.has(type));
    return [refusedTypes.length === 0 ? message : { ...message, refusedTypes }];
  }
}

register(module);
