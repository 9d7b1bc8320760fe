// SPDX-License-Identifier: Apache-2.0
/**
 * The order of two writes of a minute's cell (invariant I2 of docs/invariants.md). A write carries absolute values and
 * the state that its writer saw, so writes may be repeated, reordered and lost on the way: the later state stands, and
 * an equal one changes nothing. The counter stores apply it to every write of the stream and of an audit.
 */

/** The state of a cell as one writer knew it. The sum has three parts: `(top * 2^32 + mid) * 2^32 + low`. */
export interface CellState {
  /** How often an audit has changed the cell. */
  correction: number;
  count: number;
  valued: number;
  low: number;
  mid: number;
  top: number;
  /** Latest event, milliseconds within the minute. */
  last: number;
}

/**
 * Whether `next` is a later state than `stored`. A correction outranks every state without it. The panes of a minute
 * are nested, so among states of one correction more distinct events tell the later one. States with as many events
 * differ only where an event was seen again with another value: of those the larger one counts, in `valued`, then in
 * the sum, and the latest event breaks the last tie.
 */
export function isLaterCell(next: CellState, stored: CellState): boolean {
  if (next.correction !== stored.correction) return next.correction > stored.correction;
  if (next.count !== stored.count) return next.count > stored.count;
  if (next.valued !== stored.valued) return next.valued > stored.valued;
  if (next.top !== stored.top) return next.top > stored.top;
  if (next.mid !== stored.mid) return next.mid > stored.mid;
  if (next.low !== stored.low) return next.low > stored.low;
  return next.last > stored.last;
}

/** Received events of one cell that a version can tell apart. */
const RECEIVED_LIMIT = 2 ** 29;

/**
 * The same order as one number, for a store that keeps the value with the largest number and looks at nothing else:
 * `correction * 2^29 + received`. `received` counts repeats too, so states with as many distinct events differ. Throws
 * a RangeError when more events were received than a version can tell apart.
 */
export function cellVersion(correction: number, received: number): number {
  if (received >= RECEIVED_LIMIT)
    throw new RangeError(`${received} events of one cell; at most ${RECEIVED_LIMIT - 1} fit`);
  return correction * RECEIVED_LIMIT + received;
}

/** The correction that a version was made of. The version of a cell above the minutes is a sum of its children's. */
export function correctionOf(version: number): number {
  return Math.floor(version / RECEIVED_LIMIT);
}
