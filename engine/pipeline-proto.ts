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
  /** A program on the runner's machines that takes the flags of Beam's container contract (boot), and its environment. */
  | { readonly command: string; readonly variables?: Readonly<Record<string, string>> };

/**
 * The graph that `build` makes, checked for what a runner would find out much later or not at all. Throws for duplicate stage names and
 * for functions of modules that did not call register().
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
 * A copy of the graph with environments that a runner knows: ours becomes `workers`, told which modules to load; those of Java transforms are
 * run inside the runner's own process (`EMBEDDED`, which is the URN as Beam's Java runners spell it). No artifacts: workers and runner have the code.
 */
export function replaceEnvironments(proto: PipelineProto, workers: WorkerEnvironment): PipelineProto {
  const copy = sdk.runnerApi.Pipeline.clone(proto);
  const environments = copy.components?.environments ?? {};
  for (const [id, environment] of Object.entries(environments)) {
    const ours = environment.urn === sdk.environments.TYPESCRIPT_DEFAULT_ENVIRONMENT_URN;
    const spec = ours ? workerSpec(workers) : { urn: "EMBEDDED", payload: new Uint8Array() };
    environments[id] = { ...environment, ...spec, dependencies: [] } satisfies Environment;
  }
  return copy;
}

function workerSpec(workers: WorkerEnvironment): { urn: string; payload: Uint8Array } {
  const { ExternalPayload, ProcessPayload } = sdk.runnerApi;
  if ("pool" in workers) {
    const params = { [modulesParameter]: JSON.stringify(registeredModules()) };
    const payload = ExternalPayload.toBinary(ExternalPayload.create({ endpoint: { url: workers.pool }, params }));
    return { urn: "beam:env:external:v1", payload };
  }
  const env = { ...workers.variables };
  const payload = ProcessPayload.toBinary(ProcessPayload.create({ command: workers.command, env }));
  return { urn: "beam:env:process:v1", payload };
}
