// SPDX-License-Identifier: Apache-2.0
/**
 * States of a few hot cells around the end of an hour, a day and a month, and which of them each of several writers
 * writes.
 */
import { seeded } from "../ports/condition";
import type { ModelCell } from "../ports/counter-model";
import { stateOf } from "../ports/counter-store-contract";

const VIDEOS = ["v0", "v1", "v2", "v3"];
const TYPES = ["VIEW", "LIKE"];
const MINUTES = 28;
const STATES = 4;
/** Half of them before the end of November. */
const FIRST_MINUTE = Date.UTC(2026, 11, 1) / 60_000 - MINUTES / 2;

/** Every state of every cell; some minutes were corrected by an audit, which has counted fewer. */
function allStates(seed: number): ModelCell[] {
  const cells: ModelCell[] = [];
  for (let minute = FIRST_MINUTE; minute < FIRST_MINUTE + MINUTES; minute++) {
    for (const video of VIDEOS) {
      for (const type of TYPES) {
        const name = `${minute} ${video} ${type}`;
        const add = (received: number, correction: number) =>
          cells.push({ minute, video, type, correction, ...stateOf(seed, name, received) });
        for (let received = 1; received <= STATES; received++) add(received, 0);
        if (minute % 7 === 0) add(2, 1);
        if (minute % 21 === 0) add(0, 2);
      }
    }
  }
  return cells;
}

/** The batches of one of `writers`: its share and a third of the others', in any order, some of them twice. */
export function batchesOf(seed: number, writer: number, writers: number): ModelCell[][] {
  const random = seeded(seed * 100 + writer);
  const mine = allStates(seed).filter((_, n) => n % writers === writer || random() < 0.3);
  const shuffled = mine.map((cell) => ({ cell, at: random() })).sort((a, b) => a.at - b.at);
  const batches: ModelCell[][] = [];
  for (let from = 0; from < shuffled.length; ) {
    const size = 1 + Math.floor(random() * 24);
    const cells = shuffled.slice(from, from + size).map(({ cell }) => cell);
    // A batch holds a cell once.
    const batch = [...new Map(cells.map((cell) => [`${cell.minute} ${cell.video} ${cell.type}`, cell])).values()];
    batches.push(batch);
    if (random() < 0.1) batches.push(batch);
    from += size;
  }
  return batches;
}

/** The writes of a writer before it was taken for dead: the first state of every cell. */
export function zombieBatches(seed: number): ModelCell[][] {
  const old = allStates(seed).filter(({ received, correction }) => received === 1 && correction === 0);
  const batches: ModelCell[][] = [];
  for (let from = 0; from < old.length; from += 20) batches.push(old.slice(from, from + 20));
  return batches;
}
