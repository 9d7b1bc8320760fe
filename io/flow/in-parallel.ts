// SPDX-License-Identifier: Apache-2.0
/**
 * Does `work` for each item, at most `atOnce` at the same time; answers the results in the order of the items.
 *
 * The first failure begins no further item, and the promise rejects with that failure only when every running one has
 * ended: whoever hears of the failure may give the work back, or do it again, without a late write of this attempt
 * landing behind it. (`Promise.all` over lanes that share an iterator rejects at once, while the other lanes go on to
 * the last item: a Map's or array's iterator has no `return` that would end them.)
 */
export async function inParallel<Item, Result>(
  items: Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items[Symbol.iterator]();
  let begun = 0;
  let failure: { error: unknown } | undefined;
  const lane = async () => {
    while (failure === undefined) {
      const next = queue.next();
      if (next.done === true) return;
      const index = begun++;
      results[index] = await work(next.value);
    }
  };
  const lanes = Array.from({ length: Math.max(1, atOnce) }, () =>
    lane().catch((error: unknown) => {
      failure ??= { error };
    }),
  );
  await Promise.all(lanes);
  if (failure !== undefined) throw (failure as { error: unknown }).error;
  return results;
}
