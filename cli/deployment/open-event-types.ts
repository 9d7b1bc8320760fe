// SPDX-License-Identifier: Apache-2.0
/**
 * The event types that a deployment has admitted. The write API, the archiver, backfills and workers judge types by
 * them.
 */
import { KnownEventTypes } from "../../intake/known-types";
import type { EventTypes } from "../../io/ports";
import type { Settings } from "../config/schema";
import { bigtableLocation } from "./open-counters";

/** The event types are in the store of the counters. */
export async function openEventTypes(config: Settings<"counters" | "data" | "project">): Promise<EventTypes> {
  if (config.counters.kind === "bigtable") {
    const { BigtableEventTypes } = await import("../../io/bigtable/event-types.js");
    return new BigtableEventTypes(bigtableLocation(config));
  }
  const { SqliteEventTypes } = await import("../../io/sqlite/event-types.js");
  return new SqliteEventTypes({ folder: config.data });
}

export const knownEventTypes = (
  { eventTypes }: { eventTypes: EventTypes },
  { maxEventTypes }: Settings<"maxEventTypes">,
): KnownEventTypes => new KnownEventTypes(eventTypes, maxEventTypes);
