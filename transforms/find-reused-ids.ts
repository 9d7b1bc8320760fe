import { type DoFn, groupByKey, type KV, type PCollection, parDo, register, toBytes, withName } from "../engine";

export interface ReusedIds {
  /** `idKey` of the hour and the partition of the ids. */
  key: string;
  reused: number;
}

/**
 * Counts event ids that occur in more than one minute of an hour: each is another event by the contract, but more often than
 * not a producer's mistake, so the audit reports them.
 * In: id hashes keyed by hour and partition. Out: one number a key. Rejects: none. Windowing: global. Replay: the same numbers.
 */
export function findReusedIds(ids: PCollection<KV<string, { hashes: Uint8Array }>>): PCollection<ReusedIds> {
  return ids
    .apply(withName("GroupIds", groupByKey<string, { hashes: Uint8Array }>()))
    .apply(withName("FindReusedIds", parDo(new FindReusedIds())));
}

export class FindReusedIds implements DoFn<KV<string, Iterable<{ hashes: Uint8Array }>>, ReusedIds> {
  *process({ key, value }: KV<string, Iterable<{ hashes: Uint8Array }>>): Iterable<ReusedIds> {
    const blocks = [...value].map(({ hashes }) => toBytes(hashes));
    const all = new BigUint64Array(blocks.reduce((sum, block) => sum + block.length, 0) / 8);
    const bytes = new Uint8Array(all.buffer);
    let at = 0;
    for (const block of blocks) {
      bytes.set(block, at);
      at += block.length;
    }
    all.sort();
    let reused = 0;
    for (let i = 1; i < all.length; i++) if (all[i] === all[i - 1]) reused++;
    yield { key, reused };
  }
}

register("transforms/find-reused-ids", exports);
