import { type DoFn, groupByKey, type KV, type PCollection, parDo, register, toBytes, withName } from "../engine";

/**
 * Counts event ids that occur in more than one minute of the audited range: each is another event by the contract, but more often than
 * not a producer's mistake, so the audit reports them.
 * In: id hashes keyed by partition. Out: one number a partition. Rejects: none. Windowing: global. Replay: the same numbers.
 */
export function findReusedIds(ids: PCollection<KV<string, { hashes: Uint8Array }>>): PCollection<number> {
  return ids
    .apply(withName("GroupIds", groupByKey<string, { hashes: Uint8Array }>()))
    .apply(withName("FindReusedIds", parDo(new FindReusedIds())));
}

export class FindReusedIds implements DoFn<KV<string, Iterable<{ hashes: Uint8Array }>>, number> {
  *process({ value }: KV<string, Iterable<{ hashes: Uint8Array }>>): Iterable<number> {
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
    yield reused;
  }
}

register("transforms/find-reused-ids", exports);
