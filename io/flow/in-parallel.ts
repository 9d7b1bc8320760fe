// SPDX-License-Identifier: Apache-2.0
/**
 * Runs `work` for each item, at most `atOnce` at the same time; returns the results in the order of the items. After
 * the first failure no further item begins. The promise rejects with that failure only when every running item has
 * ended: the caller may give the work back, or repeat it, without a late write of this attempt. (`Promise.all` over
 * lanes that share an iterator rejects at once, while the other lanes go on to the last item: a Map's or array's
 * iterator has no `return` that would end them.)
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
