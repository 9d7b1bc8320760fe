// SPDX-License-Identifier: Apache-2.0
/**
 * The search for ids that stand for more than one event in an audited range. The audit's runners call it on the hashes
 * that the recount gives, and the report shows examples.
 */
import { type DoFn, groupByKey, type KV, type PCollection, parDo, register, toBytes, withName } from "../engine";
import type { IdBlock } from "./audit-elements";

/** An id of more than one event of the audited range, identified by its two hashes. */
export interface ReusedId {
  first: number;
  second: number;
  /** The number of events with the id. */
  times: number;
  /** Some of the minutes that hold such an event, ascending. */
  minutes: number[];
}

export interface ReusedIds {
  /** The partition of the ids. */
  key: string;
  /** The number of events whose id another event has, too: n - 1 for an id of n events. */
  reused: number;
  /** The ids that are used most often. */
  examples: ReusedId[];
}

export const MAX_EXAMPLES = 20;
const MAX_MINUTES = 5;

/**
 * Finds event ids that belong to more than one event, anywhere in the audited range. By the contract these are distinct
 * events; most often they are a producer's mistake, so the audit reports them. In: hashes of the ids of distinct
 * events, keyed by partition. Out: one result per key. Rejects: none. Windowing: global. Replay: the same result.
 */
export function findReusedIds(ids: PCollection<KV<string, IdBlock>>): PCollection<ReusedIds> {
  return ids
    .apply(withName("GroupIds", groupByKey<string, IdBlock>()))
    .apply(withName("FindReusedIds", parDo(new FindReusedIds())));
}

export class FindReusedIds implements DoFn<KV<string, Iterable<IdBlock>>, ReusedIds> {
  *process({ key, value }: KV<string, Iterable<IdBlock>>): Iterable<ReusedIds> {
    yield { key, ...reusedIn([...value]) };
  }
}

/** Finds reused ids in memory of 16 bytes per event, and some of the examples. */
export function reusedIn(blocks: readonly IdBlock[]): Omit<ReusedIds, "key"> {
  const views = blocks.map(({ minute, hashes }) => ({ minute, hashes: wordsOf(toBytes(hashes)) }));
  const all = new BigUint64Array(views.reduce((sum, { hashes }) => sum + hashes.length, 0));
  let at = 0;
  for (const { hashes } of views) {
    all.set(hashes, at);
    at += hashes.length;
  }
  all.sort();
  let reused = 0;
  const often: { hash: bigint; times: number }[] = [];
  for (let from = 0; from < all.length; ) {
    let to = from + 1;
    while (to < all.length && all[to] === all[from]) to++;
    reused += to - from - 1;
    if (to - from > 1) keepLargest(often, { hash: all[from]!, times: to - from });
    from = to;
  }
  return { reused, examples: often.map((each) => exampleOf(each, minutesOf(views, each.hash))) };
}

function keepLargest(often: { hash: bigint; times: number }[], one: { hash: bigint; times: number }): void {
  if (often.length === MAX_EXAMPLES && often[MAX_EXAMPLES - 1]!.times >= one.times) return;
  const place = often.findIndex(({ times }) => times < one.times);
  often.splice(place < 0 ? often.length : place, 0, one);
  often.length = Math.min(often.length, MAX_EXAMPLES);
}

function minutesOf(views: readonly { minute: number; hashes: BigUint64Array }[], hash: bigint): number[] {
  const minutes = new Set<number>();
  for (const { minute, hashes } of views) if (!minutes.has(minute) && hashes.includes(hash)) minutes.add(minute);
  return [...minutes].sort((a, b) => a - b).slice(0, MAX_MINUTES);
}

/** The hashes were written as two 32-bit words. In one 64-bit word the second of them is the upper half. */
function exampleOf({ hash, times }: { hash: bigint; times: number }, minutes: number[]): ReusedId {
  const first = Number(BigInt.asIntN(32, hash));
  const second = Number(BigInt.asIntN(32, hash >> 32n));
  return { first, second, times, minutes };
}

function wordsOf(bytes: Uint8Array): BigUint64Array {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : Uint8Array.from(bytes);
  return new BigUint64Array(aligned.buffer, aligned.byteOffset, aligned.length / 8);
}

register(module);
