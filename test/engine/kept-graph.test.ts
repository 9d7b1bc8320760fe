// SPDX-License-Identifier: Apache-2.0
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  FromResource,
  generate,
  groupByKey,
  iterableSideInput,
  KeptGraph,
  parDo,
  provideResource,
  type Root,
  StageError,
  withdrawResource,
  withName,
} from "../../engine";
import * as fns from "./fns";

/** Runs the graph over these numbers, and returns the elements that its last stage had. */
async function run(graph: KeptGraph, numbers: Iterable<unknown>): Promise<unknown[]> {
  const seen: { element: unknown }[] = [];
  provideResource("numbers", numbers);
  provideResource("seen", seen);
  try {
    await graph.run();
  } finally {
    withdrawResource("numbers");
    withdrawResource("seen");
  }
  return seen.map(({ element }) => element);
}

const numbersOf = (root: Root) => generate(root, "numbers", new FromResource<number>("numbers"));
const witness = () => withName("witness", parDo(new fns.Witness("seen")));

test("each run has the elements that it was given, and groups no others", async () => {
  let built = 0;
  const graph = new KeptGraph((root) => {
    built++;
    const keyed = numbersOf(root).apply(withName("key", parDo(new fns.KeyByParity())));
    keyed.apply(withName("group", groupByKey<string, number>())).apply(witness());
  });
  expect(await run(graph, [1, 2, 3])).toEqual([
    { key: "odd", value: [1, 3] },
    { key: "even", value: [2] },
  ]);
  expect(await run(graph, [])).toEqual([]);
  expect(await run(graph, [5, 4])).toEqual([
    { key: "odd", value: [5] },
    { key: "even", value: [4] },
  ]);
  expect(built).toBe(1);
});

test("operators serve run after run, until a run fails: the next one has new ones", async () => {
  const graph = new KeptGraph((root) => {
    const sums = numbersOf(root).apply(withName("sum", parDo(new fns.Remembers())));
    sums.apply(withName("picky", parDo(new fns.FailOn(111)))).apply(witness());
  });
  expect(await run(graph, [1])).toEqual([1]);
  expect(await run(graph, [10])).toEqual([11]);
  const failed = run(graph, [100]);
  await expect(failed).rejects.toBeInstanceOf(StageError);
  await expect(failed).rejects.toMatchObject({ stage: "picky", cause: expect.any(RangeError) });
  expect(await run(graph, [1_000])).toEqual([1_000]);
});

test("an operator keeps no element after its run", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  const graph = new KeptGraph((root) => {
    numbersOf(root).apply(withName("same", parDo(new fns.Same<number>())));
  });
  const element = await (async () => {
    const large = { bytes: new Uint8Array(1_000) };
    await run(graph, [large]);
    return new WeakRef(large);
  })();
  await fns.turn();
  collect();
  expect(element.deref()).toBeUndefined();
});

test("a graph that cannot run, or has side inputs, is refused at its first run and at every other", async () => {
  const unregistered = new KeptGraph((root) => {
    const factor = 3;
    numbersOf(root).map(withName("times", (x: number) => x * factor));
  });
  const aside = new KeptGraph((root) => {
    const numbers = numbersOf(root);
    const others = iterableSideInput(generate(root, "others", new fns.CountTo(1)));
    numbers.apply(withName("beside", parDo(new fns.Same<number>(), { others } as never)));
  });
  for (let round = 0; round < 2; round++) {
    await expect(run(unregistered, [1])).rejects.toThrow(/did not call register\(\)/);
    await expect(run(aside, [1])).rejects.toThrow(/stage "beside" has side inputs/);
  }
});
