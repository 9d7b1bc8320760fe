// SPDX-License-Identifier: Apache-2.0
import { awaitableParDo, generate, provideResource, runDirect, withdrawResource } from "../../engine";
import * as fns from "./fns";

test("at most maxInFlight elements are inside process at once, and all of them come out", async () => {
  let inside = 0;
  let most = 0;
  provideResource<fns.Gate>("gate", {
    enter: async () => {
      most = Math.max(most, ++inside);
      await fns.turn();
      inside--;
    },
  });
  const { outputs } = await runDirect((root) => ({
    out: generate(root, "numbers", new fns.CountTo(50)).apply(
      awaitableParDo("write", new fns.ThroughGate("gate"), { maxInFlight: 4 }),
    ),
  }));
  withdrawResource("gate");
  expect(most).toBe(4);
  expect(outputs.out.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

test("finishBundle runs after every element has ended, is awaited, and may emit windowed values", async () => {
  const { outputs, windowed } = await runDirect((root) => ({
    seen: generate(root, "numbers", new fns.CountTo(10)).apply(
      awaitableParDo("life", new fns.AsyncLife(), { maxInFlight: 3 }),
    ),
  }));
  expect(outputs.seen).toEqual([10]);
  expect(windowed.seen[0]?.timestamp.toNumber()).toBe(5);
});

test.each([0, 5, 9])("a rejection at element %i of 10 fails the run with the stage's name", async (bad) => {
  const failed = runDirect((root) => {
    generate(root, "numbers", new fns.CountTo(10)).apply(
      awaitableParDo("write", new fns.RejectOn(bad), { maxInFlight: 4 }),
    );
  });
  await expect(failed).rejects.toMatchObject({ stage: "write", cause: expect.any(RangeError) });
});

test("maxInFlight below one is refused when the graph is built", () => {
  expect(() => awaitableParDo("write", new fns.RejectOn(1), { maxInFlight: 0 })).toThrow(RangeError);
});
