// SPDX-License-Identifier: Apache-2.0
/**
 * Returns the index of the name among `indexes`, which gets a new name at its end. Columns of events and corrections
 * store names by these indexes.
 */
export function intern(indexes: Map<string, number>, name: string): number {
  let index = indexes.get(name);
  if (index === undefined) {
    index = indexes.size;
    indexes.set(name, index);
  }
  return index;
}
