// SPDX-License-Identifier: Apache-2.0
import {
  awaitableParDo,
  FromResource,
  fixedWindows,
  generate,
  generateWithTimestamps,
  groupByKey,
  parDo,
  provideResource,
  runDirect,
  StageError,
  splitByTag,
  windowInto,
  windowParam,
  withdrawResource,
  withName,
} from "../../engine";
import * as fns from "./fns";

test("the result holds what build asked for, and what each stage emitted", async () => {
  const result = await runDirect((root) => {
    const numbers = generate(root, "numbers", new fns.CountTo(4));
    return { more: numbers.map(withName("plus one", fns.plusOne)) };
  });
  expect(result.outputs.more).toEqual([1, 2, 3, 4]);
  expect(result.elementCounts).toMatchObject({ numbers: 4, "map(plus one)": 4 });
});

test("an error of a DoFn names its stage and keeps the original", async () => {
  const failed = runDirect((root) => {
    generate(root, "numbers", new fns.CountTo(4)).apply(withName("picky", parDo(new fns.FailOn(2))));
  });
  await expect(failed).rejects.toBeInstanceOf(StageError);
  await expect(failed).rejects.toMatchObject({ stage: "picky", cause: expect.any(RangeError) });
});

test.each([
  ["an async process", new fns.ReturnsPromise()],
  ["an async startBundle", new fns.AsyncStart()],
  ["a promise yielded as an element", new fns.YieldsPromise()],
])("%s of a plain DoFn is refused, not forgotten", async (_what, doFn) => {
  const failed = runDirect((root) => {
    generate(root, "numbers", new fns.CountTo(1)).apply(
      withName("hasty", parDo<number, unknown>(doFn as unknown as fns.Same<number>)),
    );
  });
  await expect(failed).rejects.toThrow(/stage "hasty": .*awaitableParDo/);
});

test("a function of a module that did not register fails before the first element", async () => {
  const factor = 3;
  const failed = runDirect((root) => {
    generate(root, "numbers", new fns.CountTo(1)).map(withName("times", (x: number) => x * factor));
  });
  await expect(failed).rejects.toThrow(/did not call register\(\):\nstage "map\(times\)"/);
});

test("two stages of one name are an error", async () => {
  const failed = runDirect((root) => {
    const numbers = generate(root, "numbers", new fns.CountTo(1));
    numbers.apply(withName("twin", parDo(new fns.Same<number>())));
    numbers.apply(withName("twin", parDo(new fns.Same<number>())));
  });
  await expect(failed).rejects.toThrow(/Duplicate stage name: "twin"/);
});

test("a source is pulled one element at a time: nothing is buffered between it and an awaitable sink", async () => {
  const pulled = { count: 0 };
  let done = 0;
  let furthestAhead = 0;
  provideResource("pulled", pulled);
  provideResource<fns.Gate>("gate", {
    enter: async () => {
      await fns.turn();
      furthestAhead = Math.max(furthestAhead, pulled.count - done);
      done++;
    },
  });
  await runDirect((root) => {
    const numbers = generate(root, "numbers", new fns.CountTo(2_000, "pulled"));
    numbers
      .apply(withName("same", parDo(new fns.Same<number>())))
      .apply(awaitableParDo("write", new fns.ThroughGate("gate"), { maxInFlight: 8 }));
  });
  withdrawResource("pulled");
  withdrawResource("gate");
  expect(done).toBe(2_000);
  expect(furthestAhead).toBeLessThanOrEqual(8);
});

test("a source of 400,000 elements is pulled exactly once each, twice the operations of 200,000", async () => {
  const operations = async (count: number) => {
    const pulled = { count: 0 };
    provideResource("pulled", pulled);
    const { elementCounts } = await runDirect((root) => {
      generate(root, "numbers", new fns.CountTo(count, "pulled")).apply(
        withName("same", parDo(new fns.Same<number>())),
      );
    });
    withdrawResource("pulled");
    return pulled.count + elementCounts.numbers! + elementCounts.same!;
  };
  const [half, full] = [await operations(200_000), await operations(400_000)];
  expect(half).toBe(600_000);
  expect(full).toBe(2 * half);
});

test("tagged outputs go each to its own collection", async () => {
  const { outputs } = await runDirect((root) => {
    const sorted = generate(root, "numbers", new fns.CountTo(4)).apply(withName("sort", parDo(new fns.Sort())));
    return splitByTag<{ main: number; late: string }>("by tag", sorted, { main: true, late: true });
  });
  expect(outputs).toEqual({ main: [0, 2], late: ["late 1", "late 3"] });
});

test("a tag that nobody declared fails the run", async () => {
  const failed = runDirect((root) => {
    const sorted = generate(root, "numbers", new fns.CountTo(1)).apply(withName("sort", parDo(new fns.WrongTag())));
    splitByTag<{ main: number }>("by tag", sorted, { main: true });
  });
  await expect(failed).rejects.toThrow(/stage "by tag": Unexpected tag 'other'/);
});

test("blocks built over a bundle are grouped by key and minute of the timestamps they were given", async () => {
  provideResource("clicks", [
    { key: "a", atMs: 1_000 },
    { key: "a", atMs: 59_999 },
    { key: "a", atMs: 60_000 },
    { key: "b", atMs: -1 },
  ]);
  const { outputs } = await runDirect((root) => ({
    blocks: generate(root, "clicks", new FromResource<{ key: string; atMs: number }>("clicks"))
      .apply(withName("pack", parDo(new fns.PackBlocks())))
      .apply(withName("minutes", windowInto(fixedWindows({ sizeMs: 60_000 }))))
      .apply(withName("group", groupByKey<string, fns.Block>()))
      .apply(withName("describe", parDo(new fns.DescribeBlocks(), { window: windowParam() }))),
  }));
  withdrawResource("clicks");
  expect([...outputs.blocks].sort()).toEqual([
    "a 1 [97,255] window ends 119999",
    "a 2 [97,255 97,255] window ends 59999",
    "b 1 [98,255] window ends -1",
  ]);
});

test("elements generated with timestamps keep them, and an async DoFn after a GroupByKey sees window and timestamp", async () => {
  provideResource("timed", [
    { value: { key: "a", value: 1 }, timestampMs: 0 },
    { value: { key: "a", value: 2 }, timestampMs: 61_000 },
    { value: { key: "a", value: 3 }, timestampMs: 62_000 },
  ]);
  const { outputs } = await runDirect((root) => ({
    lines: generateWithTimestamps(
      root,
      "timed",
      new FromResource<{ value: { key: string; value: number }; timestampMs: number }>("timed"),
    )
      .apply(withName("minutes", windowInto(fixedWindows({ sizeMs: 60_000 }))))
      .apply(withName("group", groupByKey<string, number>()))
      .apply(awaitableParDo("describe", new fns.DescribeWindow(), { maxInFlight: 2 })),
  }));
  withdrawResource("timed");
  expect([...outputs.lines].sort()).toEqual(["a 1 ends 59999 at 59999", "a 2+3 ends 119999 at 119999"]);
});

test("plain fields and the class of a registered DoFn survive serialisation", async () => {
  const seen: unknown[] = [];
  provideResource("seen", seen);
  await runDirect((root) => {
    const witness = new fns.Witness("seen", { depth: 3, names: ["x", "y"] });
    generate(root, "numbers", new fns.CountTo(1)).apply(withName("witness", parDo(witness)));
  });
  withdrawResource("seen");
  expect(seen).toEqual([{ element: 0, settings: { depth: 3, names: ["x", "y"] }, self: true }]);
});
