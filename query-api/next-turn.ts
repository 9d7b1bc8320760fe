// SPDX-License-Identifier: Apache-2.0
/** Lets everything else that waits on the event loop go first: between two pieces of a long answer. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
