// SPDX-License-Identifier: Apache-2.0
/**
 * The jobs as they are sent. The same configuration and request id give the same job. The submission of streams and of
 * audits prepares its jobs here, and `--dry-run` describes them.
 */
import { randomUUID } from "node:crypto";
import { buildPipelineProto, type Root, replaceEnvironments } from "../../../engine";
import { type DataflowSubmission, type PreparedJob, prepareJob } from "../../../engine/dataflow";
import type { Settings } from "../../config/schema";
import { dataflowSource, streamGraph } from "../stream-graph";
import { bootSettings, type SentSections } from "./worker-settings";

/** The sections that a job is made of: its own, and those of its workers. */
export type JobSections = SentSections & Settings<"dataflow">;
export type StreamJobSections = JobSections & Settings<"http" | "maxEventTypes">;

/** The job that another one replaces. */
export interface Replaced {
  jobId: string;
  /** Maps transform names that have changed. */
  transformNameMapping?: Readonly<Record<string, string>>;
}

export const requestId = (): string => randomUUID();

export async function preparedStream(config: StreamJobSections, id: string, replaced?: Replaced): Promise<PreparedJob> {
  // The graph has Dataflow's own source only, so no expansion service is needed.
  const proto = await streamGraph(config, dataflowSource(config), "");
  const { transformNameMapping } = replaced ?? {};
  return prepareJob(replaceEnvironments(proto, { image: config.dataflow.image }), {
    ...submission(config, id),
    jobName: config.job.name,
    streaming: true,
    ...(replaced === undefined ? {} : { replaceJobId: replaced.jobId }),
    ...(transformNameMapping === undefined ? {} : { transformNameMapping }),
  });
}

export async function preparedBatch(
  config: JobSections,
  id: string,
  jobName: string,
  build: (root: Root) => void,
): Promise<PreparedJob> {
  const proto = replaceEnvironments(await buildPipelineProto(build), { image: config.dataflow.image });
  return prepareJob(proto, { ...submission(config, id), jobName, streaming: false });
}

function submission(config: JobSections, id: string): Omit<DataflowSubmission, "jobName" | "streaming"> {
  const { dataflow } = config;
  const { tempLocation, publicIps, labels, serviceOptions, experiments } = dataflow;
  const texts = ["serviceAccount", "network", "subnetwork", "machineType", "kmsKey"] as const;
  const numbers = ["numWorkers", "maxWorkers", "diskSizeGb"] as const;
  return {
    requestId: id,
    bootSettings: bootSettings(config),
    ...{ tempLocation, publicIps, labels, serviceOptions, experiments },
    ...Object.fromEntries(texts.filter((name) => dataflow[name] !== "").map((name) => [name, dataflow[name]])),
    ...Object.fromEntries(numbers.filter((name) => dataflow[name] !== 0).map((name) => [name, dataflow[name]])),
  };
}

/** Describes the request exactly, with the place of the graph. */
export const described = (
  { request, pipelineUrl, pipeline }: PreparedJob,
  { project, dataflow }: Settings<"dataflow" | "project">,
) => ({
  method: "POST",
  url: `https://dataflow.googleapis.com/v1b3/projects/${project}/locations/${dataflow.region}/jobs`,
  job: request,
  staged: { url: pipelineUrl, sizeBytes: pipeline.byteLength },
});
