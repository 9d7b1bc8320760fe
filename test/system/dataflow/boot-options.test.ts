// SPDX-License-Identifier: Apache-2.0
/** A worker's settings come with the job's pipeline options, as nothing sets variables of a container on Dataflow. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "../../../cli/config/schema";
import { preparedStream } from "../../../cli/deployment/dataflow/prepared-jobs";
import { buildPipelineProto, replaceEnvironments } from "../../../engine";
import { prepareJob } from "../../../engine/dataflow";
import { BootedWorker } from "../../engine/booted-worker";
import { ControlServer } from "../../engine/control-server";
import { ProvisionServer } from "../../engine/provision-server";
import { removeFolders, temporaryFolder } from "../../io/ports/condition";
import { until } from "../../servers/processes";
import { goldenConfig } from "./golden-config";

const DEADLINE_MS = 25_000;
const workerModule = join(__dirname, "..", "..", "engine", "children", "worker-module.js");

afterAll(removeFolders);

/** Boots a worker whose runner hands on these options; resolves when it is connected, and has ended it. */
async function bootWith(options: object, variable: object, connected: (worker: BootedWorker) => void): Promise<void> {
  const control = await ControlServer.start();
  const provision = await ProvisionServer.start({ controlEndpoint: control.endpoint, options });
  const worker = new BootedWorker(["--id=1-1", `--provision_endpoint=${provision.endpoint}`], variable);
  try {
    const isThere = () => worker.end !== undefined || control.calls.has("1-1");
    await until("the worker", isThere, DEADLINE_MS);
    expect([worker.end, worker.atLeast(50)]).toEqual([undefined, []]);
    connected(worker);
    control.calls.get("1-1")?.end();
    expect(await worker.ended(DEADLINE_MS)).toBe("0");
  } finally {
    if (worker.end === undefined) worker.kill("SIGKILL");
    control.stop();
    provision.stop();
  }
}

const submitted = async (bootSettings: Record<string, string>) => {
  const proto = replaceEnvironments(await buildPipelineProto((root) => root), { image: "host.dev/a:1" });
  const bounds = { jobName: "a", streaming: true, tempLocation: "gs://bucket/x", requestId: "r", publicIps: true };
  return prepareJob(proto, { ...bounds, bootSettings }).request.environment.sdkPipelineOptions;
};

test("a submitted job's options start the worker's module with its settings", async () => {
  const file = join(temporaryFolder(), "module.log");
  const options = await submitted({ workerModule, workerSettings: JSON.stringify({ file }) });
  await bootWith(options, {}, ({ pid }) => expect(readFileSync(file, "utf8")).toMatch(`start ${pid} `));
});

test("what a job server makes of the same options does it, too", async () => {
  const file = join(temporaryFolder(), "module.log");
  const { options } = await submitted({ workerModule, workerSettings: JSON.stringify({ file }) });
  const renamed = Object.fromEntries(Object.entries(options).map(([name, value]) => [`beam:option:${name}:v1`, value]));
  await bootWith(renamed, {}, () => expect(existsSync(file)).toBe(true));
});

test("a setting of the container's own wins, and the others stay", async () => {
  const [asked, own] = [join(temporaryFolder(), "asked.log"), join(temporaryFolder(), "own.log")];
  const options = await submitted({ workerModule, workerSettings: JSON.stringify({ file: asked }) });
  const variable = { workerSettings: JSON.stringify({ file: own }) };
  await bootWith(options, variable, () => expect([existsSync(asked), existsSync(own)]).toEqual([false, true]));
});

describe("the streaming job's own options", () => {
  // Stores that are found by address open without credentials, and are not asked before the first bundle.
  const streamOptions = async () => {
    const config = goldenConfig();
    const emulated = configSchema.parse({
      ...config,
      counters: { ...config.counters, endpoint: "127.0.0.1:1" },
      gcs: { ...config.gcs, endpoint: "http://127.0.0.1:1" },
    });
    return (await preparedStream(emulated, "request-1")).request.environment.sdkPipelineOptions;
  };

  test("make a worker that opens its stores and comes to its runner", async () => {
    await bootWith(await streamOptions(), {}, () => undefined);
  });

  test("name the module that opens the stores: settings that it cannot read end the worker", async () => {
    const provision = await ProvisionServer.start({ controlEndpoint: "127.0.0.1:1", options: await streamOptions() });
    const settings = { workerSettings: JSON.stringify({ counters: { kind: "abacus" } }) };
    const worker = new BootedWorker(["--id=1-1", `--provision_endpoint=${provision.endpoint}`], settings);
    try {
      expect(await worker.ended(DEADLINE_MS)).toBe("1");
      expect(worker.atLeast(50).join("\n")).toMatch(/counters/);
    } finally {
      if (worker.end === undefined) worker.kill("SIGKILL");
      provision.stop();
    }
  });
});
