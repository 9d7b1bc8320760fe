// SPDX-License-Identifier: Apache-2.0
/** The boot program by Beam's container contract, against the services of a runner that records. */
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { awaitableParDo, type PCollection } from "../../engine";
import { isAlive, until } from "../servers/processes";
import { BootedWorker } from "./booted-worker";
import { ControlServer } from "./control-server";
import { FakeRunner } from "./fake-runner";
import * as fns from "./fns";
import { type Provisioned, ProvisionServer } from "./provision-server";

/** Several processes start in each test, on two cores that may be shared. */
vi.setConfig({ testTimeout: 120_000 });
const DEADLINE_MS = 50_000;
const FATAL = 60;
const WARN = 40;

interface Setting {
  control: ControlServer;
  provision: ProvisionServer;
  boot(flags: readonly string[]): BootedWorker;
}

async function withServices(provisioned: Provisioned, use: (setting: Setting) => Promise<void>): Promise<void> {
  const control = await ControlServer.start();
  const provision = await ProvisionServer.start({ controlEndpoint: control.endpoint, ...provisioned });
  const workers: BootedWorker[] = [];
  try {
    const boot = (flags: readonly string[]) => {
      const worker = new BootedWorker([...flags, `--provision_endpoint=${provision.endpoint}`]);
      workers.push(worker);
      return worker;
    };
    await use({ control, provision, boot });
  } finally {
    for (const worker of workers) if (worker.end === undefined) worker.kill("SIGKILL");
    control.stop();
    provision.stop();
  }
}

const siblings = ["1-2", "1-3"];

describe("sibling workers", () => {
  const connected = (control: ControlServer, count: number) =>
    until("the control channels", () => control.calls.size === count, DEADLINE_MS);
  const pidsOf = ({ log }: BootedWorker): Map<string, number> =>
    new Map(log.filter(({ msg }) => msg === "worker connected").map(({ workerId, pid }) => [workerId!, pid!]));

  test("each id is a worker of its own, and all end in order with their control channels", async () => {
    await withServices({ siblingWorkerIds: [...siblings, "1-2", "1-1"] }, async ({ control, provision, boot }) => {
      const worker = boot(["--id=1-1"]);
      await connected(control, 3);
      expect([...control.calls.keys()].sort()).toEqual(["1-1", ...siblings]);
      expect(provision.askedBy).toEqual(["1-1"]);
      await until("the log of all", () => pidsOf(worker).size === 3, DEADLINE_MS);
      expect(new Set(pidsOf(worker).values()).size).toBe(3);
      control.calls.get("1-1")?.end();
      await until("the end of one", () => control.ended.has("1-1"), DEADLINE_MS);
      expect(worker.end).toBe(undefined);
      for (const id of siblings) control.calls.get(id)?.end();
      expect(await worker.ended(DEADLINE_MS)).toBe("0");
      expect(worker.atLeast(FATAL)).toEqual([]);
    });
  });

  test("SIGTERM to the boot program ends all of them in order", async () => {
    await withServices({ siblingWorkerIds: siblings }, async ({ control, boot }) => {
      const worker = boot(["--id=1-1"]);
      await connected(control, 3);
      await until("the log of all", () => pidsOf(worker).size === 3, DEADLINE_MS);
      worker.kill("SIGTERM");
      expect(await worker.ended(DEADLINE_MS)).toBe("0");
      expect(worker.log.filter(({ msg }) => msg === "worker stops")).toHaveLength(3);
    });
  });

  test("when one dies the boot program ends with an error, and none is left", async () => {
    await withServices({ siblingWorkerIds: siblings }, async ({ control, boot }) => {
      const worker = boot(["--id=1-1"]);
      await connected(control, 3);
      await until("the log of all", () => pidsOf(worker).size === 3, DEADLINE_MS);
      process.kill(pidsOf(worker).get("1-2")!, "SIGKILL");
      expect(await worker.ended(DEADLINE_MS)).toBe("1");
      expect(worker.atLeast(FATAL).join()).toContain("sibling worker 1-2 ended with SIGKILL");
      for (const pid of pidsOf(worker).values()) expect(isAlive(pid)).toBe(false);
    });
  });
});

describe("a worker with bundles under way", () => {
  async function withBundles(settings: object, use: (runner: FakeRunner, worker: BootedWorker) => Promise<void>) {
    const runner = await FakeRunner.startWithoutWorker((input) =>
      (input as PCollection<number>).apply(awaitableParDo("write", new fns.ThroughGate("gate"), { maxInFlight: 3 })),
    );
    const worker = new BootedWorker(["--id=1-1", `--control_endpoint=${runner.endpoint}`], {
      workerModule: join(__dirname, "children", "gate-module.js"),
      workerSettings: JSON.stringify({ closingMs: 500 }),
      ...settings,
    });
    try {
      for (const bundle of ["a", "b", "c"]) {
        void runner.process(bundle);
        await runner.send(bundle, [1, 2], true);
      }
      await until("the bundles", () => worker.lines.length >= 6, DEADLINE_MS);
      await use(runner, worker);
    } finally {
      if (worker.end === undefined) worker.kill("SIGKILL");
      runner.close();
    }
  }

  test.each<[string, (runner: FakeRunner) => Promise<void>]>([
    ["ends the control channel", (runner) => runner.endControl()],
    ["cancels the control channel", (runner) => runner.breakStream("control", grpc.status.CANCELLED)],
    [
      "drops the data channel, and then ends the control channel",
      async (runner) => {
        await runner.breakStream("data", grpc.status.UNAVAILABLE);
        await runner.ask({ oneofKind: "processBundleProgress", processBundleProgress: { instructionId: "a" } });
        await runner.endControl();
      },
    ],
  ])("ends in order when the runner %s, as it does for a job that is cancelled", async (_what, end) => {
    await withBundles({}, async (runner, worker) => {
      await end(runner);
      expect(await worker.ended(DEADLINE_MS)).toBe("0");
      expect(worker.atLeast(FATAL)).toEqual([]);
      expect(worker.atLeast(WARN).join()).toContain("bundles under way");
    });
  });

  test("ends with an error when the data channel is dropped and the runner stays", async () => {
    await withBundles({}, async (runner, worker) => {
      await runner.breakStream("data", grpc.status.UNAVAILABLE);
      expect(await worker.ended(DEADLINE_MS)).toBe("1");
      expect(worker.atLeast(FATAL).join()).toContain("data channel: 14 UNAVAILABLE");
    });
  });

  test("ends with an error when one takes longer than its limit", async () => {
    await withBundles({ maxBundleMs: 300 }, async (_runner, worker) => {
      expect(await worker.ended(DEADLINE_MS)).toBe("1");
      expect(worker.atLeast(FATAL).join()).toMatch(/bundle [abc] is not finished after 300 ms/);
    });
  });

  test("does not end by a limit that is off or far", async () => {
    await withBundles({ maxBundleMs: 0 }, async (runner, worker) => {
      await runner.ask({ oneofKind: "processBundleProgress", processBundleProgress: { instructionId: "a" } });
      expect(worker.end).toBe(undefined);
    });
  });
});
