// SPDX-License-Identifier: Apache-2.0
/** Submits graphs to Dataflow and follows the job. An application's command that starts or replaces a job uses it. */
import type { Pipeline as PipelineProto } from "apache-beam/proto/beam_runner_api";
import { DataflowError } from "./dataflow-error";
import { GoogleRest, type GoogleRestOptions } from "./google-rest";
import { type DataflowSubmission, type PreparedJob, prepareJob } from "./job";
import { type DataflowJobState, isFinalDataflowState } from "./job-types";
import { DataflowJobs } from "./jobs-rest";
import { stagePipeline } from "./stage-pipeline";

export interface DataflowRunnerOptions extends GoogleRestOptions {
  readonly project: string;
  readonly region: string;
  /** The interval of polls of a job. Default 5 s. */
  readonly pollMs?: number;
}

/** Submits graphs (buildPipelineProto, replaceEnvironments with an image) to Dataflow. Rejects with DataflowError. */
export class DataflowRunner {
  readonly rest: GoogleRest;
  readonly jobs: DataflowJobs;
  private readonly pollMs: number;

  constructor(options: DataflowRunnerOptions) {
    this.rest = new GoogleRest(options);
    this.jobs = new DataflowJobs(this.rest, options.project, options.region);
    this.pollMs = options.pollMs ?? 5_000;
  }

  submit(proto: PipelineProto, submission: DataflowSubmission): Promise<DataflowJob> {
    return this.create(prepareJob(proto, submission));
  }

  /** Stages the graph and creates the job. Resolves when Dataflow has accepted the job, before the job runs. */
  async create({ request, pipeline, pipelineUrl }: PreparedJob): Promise<DataflowJob> {
    await stagePipeline(this.rest, pipelineUrl, pipeline);
    const { jobId } = await this.jobs.create(request);
    return this.job(jobId);
  }

  job(jobId: string): DataflowJob {
    return new DataflowJob(jobId, this.jobs, this.pollMs);
  }
}

/** One job. */
export class DataflowJob {
  constructor(
    readonly jobId: string,
    private readonly jobs: DataflowJobs,
    private readonly pollMs: number,
  ) {}

  async state(): Promise<DataflowJobState> {
    return (await this.jobs.get(this.jobId)).state;
  }

  /** Asks for the end of reading: the job finishes every element that was read, and writes every window. */
  async drain(): Promise<void> {
    await this.jobs.requestState(this.jobId, "JOB_STATE_DRAINED");
  }

  /** Asks for the job's end at once. Elements under way are lost to the job, and not acknowledged to its source. */
  async cancel(): Promise<void> {
    await this.jobs.requestState(this.jobId, "JOB_STATE_CANCELLED");
  }

  /** Resolves when the job runs. Rejects with kind "failed" and the reason when it ended before, or with "timeout". */
  async waitUntilRunning(deadlineMs: number): Promise<void> {
    const state = await this.await((seen) => seen === "JOB_STATE_RUNNING" || isFinalDataflowState(seen), deadlineMs);
    if (state !== "JOB_STATE_RUNNING") throw await this.failure(state);
  }

  /**
   * Resolves when the job is done. Rejects with kind "failed" and the reason when it ended otherwise, or with
   * "timeout".
   */
  async waitUntilFinished(deadlineMs: number): Promise<void> {
    const state = await this.waitUntilFinal(deadlineMs);
    if (state !== "JOB_STATE_DONE") throw await this.failure(state);
  }

  /** Resolves with the state in which the job ended, whichever state that is. */
  waitUntilFinal(deadlineMs: number): Promise<DataflowJobState> {
    return this.await(isFinalDataflowState, deadlineMs);
  }

  private await(isWanted: (state: DataflowJobState) => boolean, deadlineMs: number): Promise<DataflowJobState> {
    return this.jobs.awaitState(this.jobId, isWanted, { deadlineMs, pollMs: this.pollMs });
  }

  /** Returns the failure with its reason, which is in the last error messages of the job. */
  private async failure(state: DataflowJobState): Promise<DataflowError> {
    const messages = await this.jobs.messages(this.jobId, "JOB_MESSAGE_WARNING").catch(() => []);
    const errors = messages.filter(({ importance }) => importance === "JOB_MESSAGE_ERROR").slice(-3);
    const reason = errors.map(({ text }) => text.slice(0, 1_000)).join(" | ") || "Dataflow gives no reason";
    return new DataflowError(`job ${this.jobId} is ${state}: ${reason}`, "failed");
  }
}
