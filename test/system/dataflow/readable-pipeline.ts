// SPDX-License-Identifier: Apache-2.0
import { DockerPayload, type Pipeline } from "apache-beam/proto/beam_runner_api";

/**
 * A graph to be read and compared: its environments, and its transforms without the code of their functions. Ids are of
 * the graph, not of a run.
 */
export function readablePipeline({ components, rootTransformIds }: Pipeline) {
  const { transforms = {}, environments = {}, pcollections = {}, windowingStrategies = {} } = components ?? {};
  const collection = (id: string): string => {
    const { windowingStrategyId = "" } = pcollections[id] ?? {};
    const { windowFn } = windowingStrategies[windowingStrategyId] ?? {};
    return `${id} (${isBounded(id)}, ${windowFn?.urn ?? "no windows"})`;
  };
  const isBounded = (id: string): string => (pcollections[id]?.isBounded === 1 ? "unbounded" : "bounded");
  return {
    rootTransformIds,
    environments: Object.fromEntries(
      Object.entries(environments).map(([id, { urn, payload, capabilities }]) => [
        id,
        { urn, containerImage: DockerPayload.fromBinary(payload).containerImage, capabilities },
      ]),
    ),
    transforms: Object.values(transforms)
      .filter(({ subtransforms }) => subtransforms.length === 0)
      .map(({ uniqueName, spec, inputs, outputs, environmentId }) => ({
        name: uniqueName,
        urn: spec?.urn ?? "",
        environment: environmentId,
        in: Object.values(inputs).map(collection),
        out: Object.values(outputs).map(collection),
      })),
  };
}
