// SPDX-License-Identifier: Apache-2.0
/** A listed object with its messages in the order of its rows; absent where the log delivers every message once. */
interface ListedObject {
  name: string;
  messages?: readonly { id: string; events: number }[];
}

/**
 * Returns the rows of one minute's objects that belong to a message of an earlier object: for each object that has such
 * rows, ranges [from, to), one after the other in one list. A log may deliver a message again after its reader was
 * stopped, and then two objects hold the message. The ledger counts the message once, by its id. A bounded run leaves
 * these rows out when it counts the archive.
 */
export function repeatedRows(objects: readonly ListedObject[]): Map<string, number[]> {
  const seen = new Set<string>();
  const repeated = new Map<string, number[]>();
  const inOrder = objects.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, messages = [] } of inOrder) {
    const ranges: number[] = [];
    let row = 0;
    for (const { id, events } of messages) {
      if (events > 0 && seen.has(id)) ranges.push(row, row + events);
      row += events;
    }
    for (const { id } of messages) seen.add(id);
    if (ranges.length > 0) repeated.set(name, ranges);
  }
  return repeated;
}
