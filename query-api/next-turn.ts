// SPDX-License-Identifier: Apache-2.0
/**
 * Lets all other work that waits on the event loop run first, between two pieces of a long answer. Endpoints with long
 * answers await it.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
