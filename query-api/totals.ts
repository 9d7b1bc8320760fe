// SPDX-License-Identifier: Apache-2.0
import type { Total } from "../io/ports";
import { exactInteger } from "./exact-json";

/** Returns totals by event type in the form of answers. Every answer with totals is written with it. */
export function totalsMember(totals: ReadonlyMap<string, Total>): Record<string, object> {
  const members: Record<string, object> = {};
  for (const [eventType, { count, sum, lastEventAtMs }] of totals)
    members[eventType] = { count, sum: exactInteger(sum), lastEventAt: new Date(lastEventAtMs).toISOString() };
  return members;
}
