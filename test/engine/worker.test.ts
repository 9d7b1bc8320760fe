// SPDX-License-Identifier: Apache-2.0
import {
  awaitableParDo,
  type PCollection,
  parDo,
  provideResource,
  splitByTag,
  toBytes,
  withdrawResource,
  withName,
} from "../../engine";
import { type BuildStage, FakeRunner } from "./fake-runner";
import * as fns from "./fns";
import { Later } from "./later";

async function withRunner(build: BuildStage, use: (runner: FakeRunner) => Promise<void>): Promise<void> {
  const runner = await FakeRunner.start(build);
  try {
    await use(runner);
  } finally {
    await runner.stop();
  }
}

const numbers = (input: PCollection<unknown>) => input as PCollection<number>;

test("in a worker, awaitableParDo holds its bound over several messages and the bundle waits for all of them", async () => {
  let inside = 0;
  let most = 0;
  provideResource<fns.Gate>("gate", {
    enter: async () => {
      most = Math.max(most, ++inside);
      await fns.turn();
      inside--;
    },
  });
  const build: BuildStage = (input) =>
    numbers(input).apply(awaitableParDo("write", new fns.ThroughGate("gate"), { maxInFlight: 3 }));
  await withRunner(build, async (runner) => {
    const answer = runner.process("b");
    await runner.send("b", [0, 1, 2, 3, 4, 5, 6]);
    await runner.send("b", [7, 8, 9]);
    await runner.send("b", [], true);
    expect((await answer).error).toBe("");
    expect(runner.outputs.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
  withdrawResource("gate");
  expect(most).toBe(3);
});

test("in a worker, a rejection fails the bundle, names the stage, and the next bundle is clean", async () => {
  const build: BuildStage = (input) =>
    numbers(input).apply(awaitableParDo("write", new fns.RejectOn(3), { maxInFlight: 2 }));
  await withRunner(build, async (runner) => {
    expect((await runner.run([1, 2, 3])).error).toContain('stage "write": cannot write 3');
    expect((await runner.run([3, 1, 2, 4, 5])).error).toContain('stage "write": cannot write 3');
    expect((await runner.run([7, 8])).error).toBe("");
  });
});

test("in a worker, startBundle and finishBundle are awaited, bundle after bundle", async () => {
  const build: BuildStage = (input) =>
    numbers(input).apply(awaitableParDo("life", new fns.AsyncLife(), { maxInFlight: 2 }));
  await withRunner(build, async (runner) => {
    await runner.run([1, 2, 3]);
    await runner.run([1, 2]);
    expect(runner.outputs).toEqual([3, 2]);
  });
});

test("in a worker, a slow element holds back the bundle's answer", async () => {
  const opened = new Later<void>();
  const entered = new Later<void>();
  provideResource<fns.Gate>("gate", {
    enter: () => {
      entered.resolve();
      return opened.promise;
    },
  });
  const build: BuildStage = (input) =>
    numbers(input).apply(awaitableParDo("write", new fns.ThroughGate("gate"), { maxInFlight: 8 }));
  await withRunner(build, async (runner) => {
    let answered = false;
    const answer = runner.run([1, 2]).then((response) => {
      answered = true;
      return response;
    });
    await entered.promise;
    // Answers come in order on one stream: one that overtakes the bundle's proves that the bundle is open.
    await runner.ask({ oneofKind: "processBundleProgress", processBundleProgress: { instructionId: "other" } });
    expect(answered).toBe(false);
    opened.resolve();
    expect((await answer).error).toBe("");
  });
  withdrawResource("gate");
});

test("in a worker, a tag goes to its own collection and an undeclared one fails the bundle", async () => {
  const sort: BuildStage = (input) =>
    splitByTag<{ main: number; late: string }>(
      "by tag",
      numbers(input).apply(withName("sort", parDo(new fns.Sort()))),
      { main: true, late: true },
    ).late;
  await withRunner(sort, async (runner) => {
    await runner.run([1, 2, 3, 4]);
    expect(runner.outputs).toEqual(["late 1", "late 3"]);
  });
  const wrong: BuildStage = (input) =>
    splitByTag<{ main: number }>("by tag", numbers(input).apply(withName("sort", parDo(new fns.WrongTag()))), {
      main: true,
    }).main;
  await withRunner(wrong, async (runner) => {
    expect((await runner.run([1])).error).toContain("Unexpected tag 'other'");
  });
});

test("bytes in an object become BSON Binary in a worker, and toBytes makes bytes of them again", async () => {
  const build: BuildStage = (input) => input.apply(withName("same", parDo(new fns.Same<unknown>())));
  await withRunner(build, async (runner) => {
    const large = new Uint8Array(5_000_000).fill(7);
    await runner.run([{ bytes: Uint8Array.of(1, 2, 255), buffer: Buffer.from("ab"), large }]);
    const [element] = runner.outputs as { bytes: unknown; buffer: unknown; large: unknown }[];
    expect(element?.bytes).not.toBeInstanceOf(Uint8Array);
    expect([...toBytes(element?.bytes)]).toEqual([1, 2, 255]);
    expect([...toBytes(element?.buffer)]).toEqual([97, 98]);
    expect(toBytes(element?.large).every((byte) => byte === 7)).toBe(true);
    expect(toBytes(element?.large).length).toBe(5_000_000);
  });
});

test("toBytes takes what the direct runner hands over by reference, and refuses what only works there", () => {
  const bytes = Uint8Array.of(1);
  expect(toBytes(bytes)).toBe(bytes);
  expect(() => toBytes(new Float64Array(1))).toThrow("expected bytes, got Float64Array");
  expect(() => toBytes(null)).toThrow("expected bytes, got null");
});
