// SPDX-License-Identifier: Apache-2.0
import type { Environment, Pipeline as PipelineProto } from "apache-beam/proto/beam_runner_api";
import { Root } from "./beam";
import { sdk } from "./fixes/sdk";
import { registeredModules } from "./serialization";
import { unregisteredFunctions } from "./unregistered-functions";
import { modulesParameter } from "./worker-parameters";

/** Where a runner gets its workers for the functions of this SDK. */
export type WorkerEnvironment =
  /** `host:port` of a WorkerPool that the runner can reach. */
  | { readonly pool: string }
  /**
   * A program on the runner's machines that takes the flags of Beam's container contract (boot), and its environment.
   */
  | { readonly command: string; readonly variables?: Readonly<Record<string, string>> }
  /**
   * A container image whose entry point is boot. Java's transforms keep the image that their expansion service names,
   * or have `javaImage`.
   */
  | { readonly image: string; readonly javaImage?: string };

/**
 * The graph that `build` makes, checked for what a runner would find out much later or not at all. Throws for duplicate
 * stage names and for functions of modules that did not call register().
 */
export async function buildPipelineProto(build: (root: Root) => unknown): Promise<PipelineProto> {
  const pipeline = new sdk.pipeline.Pipeline();
  await build(new Root(pipeline));
  const proto = pipeline.getProto();
  const unregistered = unregisteredFunctions(proto);
  if (unregistered.length > 0) {
    throw new Error(`functions of modules that did not call register():\n${unregistered.join("\n")}`);
  }
  return proto;
}

/**
 * A copy of the graph with environments that a runner knows: ours becomes `workers`, told which modules to load; those
 * of Java transforms are run inside the runner's own process (`EMBEDDED`, which is the URN as Beam's Java runners spell
 * it), or in their own image where ours are. No artifacts: workers and runner have the code.
 */
export function replaceEnvironments(proto: PipelineProto, workers: WorkerEnvironment): PipelineProto {
  const copy = sdk.runnerApi.Pipeline.clone(proto);
  const environments = copy.components?.environments ?? {};
  for (const [id, environment] of Object.entries(environments)) {
    const ours = environment.urn === sdk.environments.TYPESCRIPT_DEFAULT_ENVIRONMENT_URN;
    const spec = ours ? workerSpec(workers) : javaSpec(environment, workers);
    environments[id] = { ...environment, ...spec, dependencies: [] } satisfies Environment;
  }
  return copy;
}

type Spec = Pick<Environment, "urn" | "payload"> & Partial<Pick<Environment, "capabilities">>;

/**
 * What a runner may ask of our workers: it takes nothing for granted. Coders by their standard encodings, and one
 * process each for several ids in one container (boot starts them). Not several bundles at once on several cores: a
 * Node process has one.
 */
const CAPABILITIES = [
  ...["bytes", "bool", "string_utf8", "varint", "double", "kv", "iterable", "nullable", "length_prefix"],
  ...["global_window", "interval_window", "windowed_value", "row"],
].map((coder) => `beam:coder:${coder}:v1`);
const SIBLING_WORKERS = "beam:protocol:sibling_workers:v1";
const DOCKER = "beam:env:docker:v1";

function javaSpec(environment: Environment, workers: WorkerEnvironment): Spec {
  if (!("image" in workers)) return { urn: "EMBEDDED", payload: new Uint8Array() };
  const { DockerPayload } = sdk.runnerApi;
  if (workers.javaImage !== undefined) {
    return { urn: DOCKER, payload: DockerPayload.toBinary({ containerImage: workers.javaImage }) };
  }
  if (environment.urn !== DOCKER) throw new Error(`the expansion service names no image, but ${environment.urn}`);
  return { urn: DOCKER, payload: environment.payload };
}

function workerSpec(workers: WorkerEnvironment): Spec {
  const { DockerPayload, ExternalPayload, ProcessPayload } = sdk.runnerApi;
  if ("image" in workers) {
    const payload = DockerPayload.toBinary({ containerImage: workers.image });
    return { urn: DOCKER, payload, capabilities: [...CAPABILITIES, SIBLING_WORKERS] };
  }
  if ("pool" in workers) {
    const params = { [modulesParameter]: JSON.stringify(registeredModules()) };
    const payload = ExternalPayload.toBinary(ExternalPayload.create({ endpoint: { url: workers.pool }, params }));
    return { urn: "beam:env:external:v1", payload };
  }
  const env = { ...workers.variables };
  const payload = ProcessPayload.toBinary(ProcessPayload.create({ command: workers.command, env }));
  return { urn: "beam:env:process:v1", payload };
}
