// SPDX-License-Identifier: Apache-2.0
/** The graph as the proto that runners take. An application builds it once and submits it to Flink or Dataflow. */
import type { Environment, Pipeline as PipelineProto } from "apache-beam/proto/beam_runner_api";
import { Root } from "./beam";
import { sdk } from "./fixes/sdk";
import { registeredModules } from "./serialization";
import { unregisteredFunctions } from "./unregistered-functions";
import { modulesParameter } from "./worker-parameters";

/** The place from which a runner gets its workers for the functions of this SDK. */
export type WorkerEnvironment =
  /** `host:port` of a WorkerPool that the runner can reach. */
  | { readonly pool: string }
  /**
   * A program on the runner's machines that takes the flags of Beam's container contract (boot), with its environment.
   */
  | { readonly command: string; readonly variables?: Readonly<Record<string, string>> }
  /**
   * A container image whose entry point is boot. Java's transforms keep the image that their expansion service names,
   * or have `javaImage`.
   */
  | { readonly image: string; readonly javaImage?: string };

/**
 * Returns the graph that `build` makes. The graph is checked for faults that a runner would find much later or never.
 * Throws for duplicate stage names and for functions of modules that did not call register().
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
 * Returns a copy of the graph with environments that a runner knows. The environment of this SDK becomes `workers`,
 * with the modules to load. Environments of Java transforms run inside the runner's own process (`EMBEDDED`, the URN as
 * Beam's Java runners spell it), or in their own image where `workers` is an image. The copy names no artifacts,
 * because workers and runner have the code.
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
 * The capabilities of the workers, which a runner does not assume. Coders by their standard encodings, and one process
 * each for several ids in one container (boot starts them). Several bundles at once on several cores are left out,
 * because a Node process has one core.
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
