// SPDX-License-Identifier: Apache-2.0
import type { EventTypes } from "../io/ports";
import type { Taken } from "./taken";

/**
 * What the deployment's event types are, as this process knows them: a look-up, but for a type that is seen the first
 * time.
 */
export class KnownEventTypes {
  private known: ReadonlySet<string> = new Set();

  constructor(
    private readonly types: Pick<EventTypes, "admit">,
    private readonly bound: number,
  ) {}

  has(type: string): boolean {
    return this.known.has(type);
  }

  /** False once the set is full without the type: it never shrinks, so that is the answer for ever. */
  readonly admits = (type: string): boolean => this.known.has(type) || this.known.size < this.bound;

  /** Asks for types that are not known here. Rejects with `StoreUnavailableError`. */
  async settle(types: readonly string[]): Promise<void> {
    this.known = await this.types.admit(types, this.bound);
  }
}

/**
 * Takes what was sent; where events are of types that are not known here, asks for those, and where some are not
 * admitted, takes it again, now with these refused. Without `types` every type is taken.
 */
export async function settled<T extends Taken>(
  types: KnownEventTypes | undefined,
  take: (rule: { admitsType?: (eventType: string) => boolean }) => T,
): Promise<T> {
  if (types === undefined) return take({});
  for (;;) {
    const taken = take({ admitsType: types.admits });
    const unknown = unknownTypes(taken, types);
    if (unknown.length === 0) return taken;
    await types.settle(unknown);
    if (unknown.every((type) => types.has(type))) return taken;
  }
}

/**
 * The types of accepted events that are not known; those that a batch only lists are not asked for, nor those of a
 * batch of the write API.
 */
export function unknownTypes(taken: Taken, known: KnownEventTypes): string[] {
  if (taken.kind !== "events" || taken.alreadyAccepted) return [];
  const { types, typeIndex, count } = taken.columns;
  if (types.every((type) => known.has(type))) return [];
  const used = new Set(typeIndex.subarray(0, count));
  return types.filter((type, index) => used.has(index) && !known.has(type));
}
