// SPDX-License-Identifier: Apache-2.0
import * as fc from "fast-check";
import { inParallel } from "../../../io/flow/in-parallel";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Work that is ended by hand. */
function workByHand() {
  const running = new Map<number, { end(): void; fail(error: Error): void }>();
  const work = (item: number) =>
    new Promise<number>((resolve, reject) => {
      const gone = () => running.delete(item);
      running.set(item, {
        end: () => resolve(gone() ? item * 10 : 0),
        fail: (error) => reject(gone() ? error : error),
      });
    });
  return { running, work };
}

describe("inParallel", () => {
  it("begins nothing after the first failure, and rejects with it when the running ones have ended", async () => {
    const { running, work } = workByHand();
    let outcome = "";
    const items = new Map([1, 2, 3, 4, 5, 6].map((item) => [item, item]));
    const done = inParallel(items.keys(), 3, work).then(
      () => "resolved",
      (error: Error) => {
        outcome = error.message;
      },
    );
    await turn();
    expect([...running.keys()]).toEqual([1, 2, 3]);
    running.get(1)!.end();
    await turn();
    running.get(3)!.fail(new Error("the first"));
    await turn();
    expect([[...running.keys()], outcome]).toEqual([[2, 4], ""]);
    running.get(4)!.fail(new Error("the second"));
    await turn();
    expect([[...running.keys()], outcome]).toEqual([[2], ""]);
    running.get(2)!.end();
    await done;
    expect([[...running.keys()], outcome]).toEqual([[], "the first"]);
  });

  it("gives the results in the order of the items, with no more at once than it may", async () => {
    const items = fc.array(fc.nat(100), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(items, fc.integer({ min: 1, max: 8 }), async (delays, atOnce) => {
        let running = 0;
        let most = 0;
        const results = await inParallel(delays, atOnce, async (turns) => {
          most = Math.max(most, ++running);
          for (let n = 0; n < turns % 5; n++) await turn();
          running--;
          return turns;
        });
        expect(results).toEqual(delays);
        expect(most).toBeLessThanOrEqual(atOnce);
      }),
    );
  });

  it("rejects when the items themselves cannot be told", async () => {
    const failing = (function* () {
      yield 1;
      throw new Error("no more");
    })();
    await expect(inParallel(failing, 2, async (item) => item)).rejects.toThrow("no more");
  });
});
