// SPDX-License-Identifier: Apache-2.0
/**
 * The check of event types against those that the deployment has admitted. The write API, the archiver and backfills
 * ask it about every batch of events, before the events are stored.
 */
import type { EventTypes } from "../io/ports";
import type { Taken } from "./taken";

/**
 * The deployment's event types, as this process knows them. A type costs a query when it is seen the first time, and a
 * look-up afterwards.
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

  /** Returns false once the set is full without the type. The set never shrinks, so the answer is final. */
  readonly admits = (type: string): boolean => this.known.has(type) || this.known.size < this.bound;

  /** Asks for the types that are not known here. Rejects with `StoreUnavailableError`. */
  async settle(types: readonly string[]): Promise<void> {
    this.known = await this.types.admit(types, this.bound);
  }
}

/**
 * Judges the events. Where some have types that are not known here, asks for these types; where some types are not
 * admitted, judges the events again with these types refused. Without `types` every type is admitted.
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
 * Returns the unknown types of accepted events. Types that a batch lists without an event are left out, and so are all
 * types of a batch of the write API.
 */
export function unknownTypes(taken: Taken, known: KnownEventTypes): string[] {
  if (taken.kind !== "events" || taken.alreadyAccepted) return [];
  const { types, typeIndex, count } = taken.columns;
  if (types.every((type) => known.has(type))) return [];
  const used = new Set(typeIndex.subarray(0, count));
  return types.filter((type, index) => used.has(index) && !known.has(type));
}
