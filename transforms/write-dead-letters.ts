// SPDX-License-Identifier: Apache-2.0
import {
  type AwaitableDoFn,
  awaitableParDo,
  groupByKey,
  type KV,
  type PCollection,
  register,
  resource,
  toBytes,
  withName,
} from "../engine";
import type { DeadLetters } from "../io/ports";
import type { DeadElement } from "./elements";
import { RESOURCES } from "./resource-names";

/**
 * Writes the dead letters, the original bytes whole. In: dead elements. Out: nothing. Rejects: none; a failed write
 * fails the bundle, so no letter is lost. Windowing: any. Replay: the letter is written again; replaying both letters
 * counts the event once, because the event keeps its id. `grouped`: a bounded run writes all letters of a reason
 * together. A stream writes each letter at once, because its global window never ends. The counting graph has this step
 * for everything that it refuses.
 */
export function writeDeadLetters(dead: PCollection<DeadElement>, { grouped }: { grouped: boolean }): void {
  const keyed = grouped
    ? dead.map(withName("KeyByReason", keyByReason)).apply(withName("GroupByReason", groupByKey<string, DeadElement>()))
    : dead.map(withName("OneByOne", oneByOne));
  keyed.apply(
    awaitableParDo("WriteDeadLetters", new WriteDeadLetters(RESOURCES.deadLetters), { maxInFlight: WRITES_IN_FLIGHT }),
  );
}

const WRITES_IN_FLIGHT = 16;

export const keyByReason = (dead: DeadElement): KV<string, DeadElement> => ({ key: dead.reason, value: dead });

export const oneByOne = (dead: DeadElement): KV<string, DeadElement[]> => ({ key: dead.reason, value: [dead] });

export class WriteDeadLetters implements AwaitableDoFn<KV<string, Iterable<DeadElement>>, never> {
  constructor(readonly deadLettersResource: string) {}

  async process({ value }: KV<string, Iterable<DeadElement>>): Promise<void> {
    const letters = [...value].map((dead) => ({
      ...dead,
      payload: toBytes(dead.payload),
      source: "pipeline" as const,
    }));
    await resource<DeadLetters>(this.deadLettersResource).append(letters);
  }
}

register(module);
