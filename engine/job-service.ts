// SPDX-License-Identifier: Apache-2.0
/** Beam's job service, by which the runner of Flink submits a graph to a job server. */
import * as grpc from "@grpc/grpc-js";
import type { ArtifactRequestWrapper } from "apache-beam/proto/beam_artifact_api";
import type { JobMessage } from "apache-beam/proto/beam_job_api";
import type { Pipeline as PipelineProto } from "apache-beam/proto/beam_runner_api";
import "./fixes/load";
import { sdk } from "./fixes/sdk";
import { FlinkError } from "./flink-rest";
import { unaryCall } from "./grpc-call";
import { jobOptionUrn } from "./option-urn";

/** Pipeline options by their Java names (`parallelism`, `checkpointingInterval`). */
export type PipelineOptions = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** The states of a job, as Beam's job service names them. */
export type JobState = keyof typeof import("apache-beam/proto/beam_job_api").JobState_Enum;

const finalStates: ReadonlySet<JobState> = new Set(["DONE", "FAILED", "CANCELLED", "UPDATED", "DRAINED"]);

export const isFinalJobState = (state: JobState): boolean => finalStates.has(state);

/** Messages are unlimited, because graphs are big (every function's payload, every coder). */
const clientOptions: grpc.ClientOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
};

/** A client of a Beam job server (beam_job_api). Rejects with FlinkError. */
export class JobService {
  private readonly client: import("apache-beam/proto/beam_job_api.grpc-client").JobServiceClient;

  constructor(
    private readonly endpoint: string,
    private readonly timeoutMs = 60_000,
  ) {
    const credentials = grpc.ChannelCredentials.createInsecure();
    this.client = new sdk.jobClients.JobServiceClient(endpoint, credentials, clientOptions);
  }

  close(): void {
    this.client.close();
  }

  /** Submits a graph and starts it; resolves with the job service's id of the job. The graph must need no artifacts. */
  async submit(proto: PipelineProto, jobName: string, options: PipelineOptions): Promise<string> {
    const { Struct } = sdk.struct;
    const named = Object.entries(options).map(([name, value]) => [jobOptionUrn(name), value]);
    const pipelineOptions = Struct.fromJson(Object.fromEntries(named));
    const prepared = await this.call<import("apache-beam/proto/beam_job_api").PrepareJobResponse>(
      "prepare",
      (call, callback) => this.client.prepare({ pipeline: proto, pipelineOptions, jobName }, call, callback),
    );
    if (prepared.artifactStagingEndpoint !== undefined) {
      await this.offerNothing(prepared.artifactStagingEndpoint.url, prepared.stagingSessionToken);
    }
    const { preparationId } = prepared;
    const { jobId } = await this.call<{ jobId: string }>("run", (call, callback) =>
      this.client.run({ preparationId, retrievalToken: "" }, call, callback),
    );
    return jobId;
  }

  async state(jobId: string): Promise<JobState> {
    const { state } = await this.call<{ state: number }>("getState", (call, callback) =>
      this.client.getState({ jobId }, call, callback),
    );
    return sdk.jobApi.JobState_Enum[state] as JobState;
  }

  /** Ends the job in the job service. A job on a remote Flink cluster continues (FlinkRest.cancel ends it). */
  async cancel(jobId: string): Promise<void> {
    await this.call("cancel", (call, callback) => this.client.cancel({ jobId }, call, callback));
  }

  /**
   * Returns the job's messages so far, at most the last `limit`, oldest first, one text each. The last message of a
   * failed job gives the reason.
   */
  async messages(jobId: string, limit = 100): Promise<string[]> {
    const stream = this.client.getMessageStream({ jobId }, { deadline: Date.now() + 2_000 });
    const texts: string[] = [];
    stream.on("data", ({ response }: { response: { messageResponse?: JobMessage } }) => {
      const { messageResponse } = response;
      if (messageResponse === undefined) return;
      texts.push(messageResponse.messageText);
      if (texts.length > limit) texts.shift();
    });
    return new Promise((resolve) => {
      stream.on("error", () => resolve(texts));
      stream.on("end", () => resolve(texts));
    });
  }

  /**
   * Runs the staging protocol for a graph without artifacts: each environment's list resolves to the same empty list.
   */
  private async offerNothing(endpoint: string, stagingToken: string): Promise<void> {
    const credentials = grpc.ChannelCredentials.createInsecure();
    const client = new sdk.artifactClients.ArtifactStagingServiceClient(endpoint, credentials);
    const call = client.reverseArtifactRetrievalService({ deadline: Date.now() + this.timeoutMs });
    try {
      await new Promise<void>((resolve, reject) => {
        call.on("data", ({ request }: ArtifactRequestWrapper) => {
          if (request.oneofKind === "resolveArtifact" && request.resolveArtifact.artifacts.length === 0) {
            const resolveArtifactResponse = { replacements: [] };
            const response = { oneofKind: "resolveArtifactResponse" as const, resolveArtifactResponse };
            call.write({ stagingToken, isLast: false, response });
          } else reject(new FlinkError(`the job service asks for artifacts (${request.oneofKind})`, "refused"));
        });
        call.on("error", (error) => reject(asFlinkError("stage artifacts", endpoint, error)));
        call.on("end", () => resolve());
        call.write({ stagingToken, isLast: false, response: { oneofKind: undefined } });
      });
    } finally {
      call.cancel();
      client.close();
    }
  }

  private async call<Answer>(what: string, call: Parameters<typeof unaryCall<Answer>>[1]): Promise<Answer> {
    try {
      return await unaryCall<Answer>(this.timeoutMs, call);
    } catch (error) {
      throw asFlinkError(what, this.endpoint, error);
    }
  }
}

function asFlinkError(what: string, endpoint: string, error: unknown): FlinkError {
  const { code, details } = error as grpc.ServiceError;
  const kind =
    code === grpc.status.UNAVAILABLE
      ? "unreachable"
      : code === grpc.status.DEADLINE_EXCEEDED
        ? "timeout"
        : code === grpc.status.NOT_FOUND
          ? "not-found"
          : "refused";
  return new FlinkError(`job service ${endpoint}, ${what}: ${details ?? String(error)}`, kind, { cause: error });
}
