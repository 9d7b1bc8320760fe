// SPDX-License-Identifier: Apache-2.0
/**
 * A graph made into the request of a Dataflow job, without sending anything. The runner sends the result, and a dry run
 * shows it.
 */
import { createHash } from "node:crypto";
import type { Environment, Pipeline as PipelineProto } from "apache-beam/proto/beam_runner_api";
import { bootOption, modulesOption } from "../boot-options";
import { sdk } from "../fixes/sdk";
import { registeredModules } from "../serialization";
import { bucketProblem } from "./bucket-name";
import { DataflowError } from "./dataflow-error";
import type { JsonValue } from "./google-rest";
import type { DataflowJobRequest, DataflowWorkerPool, SdkHarnessContainerImage } from "./job-types";
import { REQUEST_LABEL } from "./jobs-rest";
import { refuseSecrets } from "./secrets";

export interface DataflowSubmission {
  /** Unique among the running jobs of project and region. */
  readonly jobName: string;
  readonly streaming: boolean;
  /** `gs://BUCKET/FOLDER` for the staged graph, and for the service's files while the job runs. */
  readonly tempLocation: string;
  /** The same for every attempt to create this one job; lower-case letters, digits, `-`. */
  readonly requestId: string;
  /** BootSettings of the workers; secrets are forbidden. */
  readonly bootSettings?: Readonly<Record<string, string | number>>;
  /** The account of the workers; default: the project's default service account of Compute Engine. */
  readonly serviceAccount?: string;
  readonly network?: string;
  /** `regions/R/subnetworks/S`, or a full URL of one. */
  readonly subnetwork?: string;
  readonly publicIps: boolean;
  /** The machine type; default: the service's. */
  readonly machineType?: string;
  readonly numWorkers?: number;
  readonly maxWorkers?: number;
  readonly diskSizeGb?: number;
  /** `projects/P/locations/L/keyRings/R/cryptoKeys/K` */
  readonly kmsKey?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly serviceOptions?: readonly string[];
  readonly experiments?: readonly string[];
  /** The running job that this one replaces, taking over its state. */
  readonly replaceJobId?: string;
  /** Maps the replaced job's transform names to this job's, where they differ. */
  readonly transformNameMapping?: Readonly<Record<string, string>>;
}

/** A job that is ready to be sent: the graph, the place to stage it, and the request. */
export interface PreparedJob {
  readonly request: DataflowJobRequest;
  readonly pipeline: Uint8Array;
  /** `gs://BUCKET/NAME`. The name holds the hash of the graph, so that staging again writes the same object. */
  readonly pipelineUrl: string;
}

/** The experiments of every job of portable workers (Beam's own DataflowRunner of Python 2.77 sends the same). */
const EXPERIMENTS = [
  "beam_fn_api",
  "use_unified_worker",
  "use_runner_v2",
  "use_portable_job_submission",
  "use_multiple_sdk_containers",
];
const STREAMING_EXPERIMENTS = ["enable_streaming_engine", "enable_windmill_service"];
const DOCKER = "beam:env:docker:v1";
const MULTI_CORE = "beam:protocol:multi_core_bundle_processing:v1";
const JOB_NAME = /^[a-z]([-a-z0-9]{0,1022}[a-z0-9])?$/;
const FOLDER_PROBLEM = "a folder's name has letters, digits, . _ = - and / only";

/**
 * Returns bucket and folder (without slashes at its ends) of `gs://BUCKET/FOLDER`. Throws a DataflowError for any other
 * text.
 */
export function gcsFolder(location: string): { bucket: string; folder: string } {
  const refused = (why: string) => new DataflowError(`"${location}": ${why}`, "refused");
  const [, bucket, folder = ""] = /^gs:\/\/([^/]*)(\/.*)?$/s.exec(location) ?? [];
  if (bucket === undefined) throw refused("it is no gs://BUCKET/FOLDER");
  const problem = bucketProblem(bucket) ?? (/^[A-Za-z0-9._=/-]*$/.test(folder) ? undefined : FOLDER_PROBLEM);
  if (problem !== undefined) throw refused(problem);
  return { bucket, folder: folder.replace(/^\/+|\/+$/g, "") };
}

/**
 * Returns the job for a graph whose environments are images (replaceEnvironments), and sends nothing. The same graph
 * and submission give the same job. Throws a DataflowError "refused" for a job that the service would refuse.
 */
export function prepareJob(proto: PipelineProto, submission: DataflowSubmission): PreparedJob {
  const { jobName, streaming, tempLocation, requestId, replaceJobId, transformNameMapping } = submission;
  if (!JOB_NAME.test(jobName))
    throw new DataflowError(
      `"${jobName}" is no name of a job: lower-case letters, digits and -, beginning with a letter`,
      "refused",
    );
  const { bucket, folder } = gcsFolder(tempLocation);
  const images = sdkImages(proto);
  const pipeline = sdk.runnerApi.Pipeline.toBinary(proto);
  const hash = createHash("sha256").update(pipeline).digest("hex");
  const base = [bucket, folder].filter((part) => part !== "").join("/");
  const pipelineUrl = `gs://${base}/staging/${jobName}/${hash}/pipeline.pb`;
  const experiments = [
    ...new Set([...(submission.experiments ?? []), ...EXPERIMENTS, ...(streaming ? STREAMING_EXPERIMENTS : [])]),
  ];
  const options = {
    pipelineUrl,
    pipelineProtoHash: hash,
    streaming,
    experiments,
    [modulesOption]: registeredModules(),
    [bootOption]: JSON.stringify(submission.bootSettings ?? {}),
  } satisfies Record<string, JsonValue>;
  refuseSecrets(options);
  const { serviceAccount, kmsKey, serviceOptions = [] } = submission;
  const request: DataflowJobRequest = {
    name: jobName,
    type: streaming ? "JOB_TYPE_STREAMING" : "JOB_TYPE_BATCH",
    clientRequestId: requestId,
    labels: { ...submission.labels, [REQUEST_LABEL]: requestId },
    ...(replaceJobId === undefined ? {} : { replaceJobId }),
    ...(transformNameMapping === undefined ? {} : { transformNameMapping }),
    environment: {
      tempStoragePrefix: `storage.googleapis.com/${base}/temp/${jobName}.${requestId}`,
      clusterManagerApiService: "compute.googleapis.com",
      dataset: "bigquery.googleapis.com/cloud_dataflow",
      experiments,
      ...(serviceOptions.length === 0 ? {} : { serviceOptions }),
      ...(kmsKey === undefined ? {} : { serviceKmsKeyName: kmsKey }),
      ...(serviceAccount === undefined ? {} : { serviceAccountEmail: serviceAccount }),
      userAgent: { name: "Apache Beam TypeScript SDK", version: "2.49.0" },
      version: { job_type: streaming ? "FNAPI_STREAMING" : "FNAPI_BATCH", major: "8" },
      sdkPipelineOptions: { options, display_data: [] },
      workerPools: [workerPool(submission, images)],
    },
  };
  return { request, pipeline, pipelineUrl };
}

/** Returns the image of every environment that a transform names. */
function sdkImages(proto: PipelineProto): SdkHarnessContainerImage[] {
  const { transforms = {}, environments = {} } = proto.components ?? {};
  const used = [...new Set(Object.values(transforms).map(({ environmentId }) => environmentId))];
  return used
    .filter((id) => id !== "")
    .sort()
    .map((environmentId) => sdkImage(environmentId, environments[environmentId]));
}

function sdkImage(environmentId: string, environment: Environment | undefined): SdkHarnessContainerImage {
  if (environment?.urn !== DOCKER) {
    throw new DataflowError(`environment ${environmentId} is ${environment?.urn}, not a container image`, "refused");
  }
  const { capabilities } = environment;
  return {
    containerImage: sdk.runnerApi.DockerPayload.fromBinary(environment.payload).containerImage,
    environmentId,
    capabilities,
    useSingleCorePerContainer: !capabilities.includes(MULTI_CORE),
  };
}

function workerPool(submission: DataflowSubmission, images: readonly SdkHarnessContainerImage[]): DataflowWorkerPool {
  const { numWorkers, maxWorkers, machineType, diskSizeGb, network, subnetwork } = submission;
  const [only] = images;
  return {
    kind: "harness",
    autoscalingSettings: {
      algorithm: "AUTOSCALING_ALGORITHM_BASIC",
      ...(maxWorkers === undefined ? {} : { maxNumWorkers: maxWorkers }),
    },
    ...(numWorkers === undefined ? {} : { numWorkers }),
    ...(machineType === undefined ? {} : { machineType }),
    ...(diskSizeGb === undefined ? {} : { diskSizeGb }),
    ...(network === undefined ? {} : { network }),
    ...(subnetwork === undefined ? {} : { subnetwork }),
    ipConfiguration: submission.publicIps ? "WORKER_IP_PUBLIC" : "WORKER_IP_PRIVATE",
    ...(submission.streaming ? { dataDisks: [{}] } : {}),
    // The service requires this field where there is one environment only.
    ...(only === undefined || images.length > 1 ? {} : { workerHarnessContainerImage: only.containerImage }),
    sdkHarnessContainerImages: images,
  };
}
