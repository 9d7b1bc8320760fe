// SPDX-License-Identifier: Apache-2.0
/** Submits graphs to Flink and follows the job. An application's command that starts a job uses it. */
import type { Pipeline as PipelineProto } from "apache-beam/proto/beam_runner_api";
import { FlinkError, type FlinkJobState, FlinkRest, isFinal, poll } from "./flink-rest";
import { isFinalJobState, JobService, type JobState, type PipelineOptions } from "./job-service";
import { registeredModules } from "./serialization";

export interface FlinkSubmission {
  /** Unique among the running jobs of the cluster. */
  readonly jobName: string;
  readonly streaming: boolean;
  readonly parallelism: number;
  /** The number of worker processes of a TaskManager, over which each stage's bundles are spread. Default 1. */
  readonly sdkWorkerParallelism?: number;
  /** The checkpoint interval. Beam's default is no checkpoints at all, so a streaming job must set it. */
  readonly checkpointingIntervalMs?: number;
  readonly checkpointTimeoutMs?: number;
  readonly minPauseBetweenCheckpointsMs?: number;
  /**
   * The elements and the processing time after which a bundle ends. Beam's defaults: 1,000 and 1 s. Large elements need
   * small bundles, because they wait in the TaskManager.
   */
  readonly maxBundleSize?: number;
  readonly maxBundleTimeMs?: number;
  /**
   * Whether open bundles end before a checkpoint's barrier passes. Beam's default ends them after the barrier and keeps
   * their outputs in the checkpoint's state until the stage's next element or watermark; where neither arrives, the
   * outputs stay there for ever. Default true here.
   */
  readonly finishBundleBeforeCheckpointing?: boolean;
  /** The savepoint or retained checkpoint to start from (a path that the cluster reads). */
  readonly savepointPath?: string;
  /** Whether state of stages that no longer exist may be dropped. */
  readonly allowNonRestoredState?: boolean;
  /** Other options of Beam or of its Flink runner, by their Java names. */
  readonly extra?: PipelineOptions;
}

export interface FlinkRunnerOptions {
  /** `host:port` of the Beam job server. */
  readonly jobServer: string;
  /** Flink's REST API; absent for a job server with an embedded Flink. */
  readonly restUrl?: string | undefined;
  /** The deadline until Flink knows the job, because a job server may upload its jars first. Default 5 minutes. */
  readonly submitDeadlineMs?: number;
}

/** Submits graphs (buildPipelineProto, replaceEnvironments) to Flink through Beam's job server. */
export class FlinkRunner {
  private readonly jobService: JobService;
  private readonly rest: FlinkRest | undefined;

  constructor(private readonly options: FlinkRunnerOptions) {
    this.jobService = new JobService(options.jobServer);
    this.rest = options.restUrl === undefined ? undefined : new FlinkRest(options.restUrl);
  }

  close(): void {
    this.jobService.close();
  }

  /**
   * Resolves when Flink has the job. Rejects with FlinkError when the name is taken, the job service refuses, or the
   * job fails before.
   */
  async submit(proto: PipelineProto, submission: FlinkSubmission): Promise<FlinkJob> {
    const before = new Set<string>();
    for (const { jobId, name, state } of (await this.rest?.jobs()) ?? []) {
      before.add(jobId);
      if (name === submission.jobName && !isFinal(state)) {
        throw new FlinkError(`a job "${name}" is ${state} already: ${jobId}`, "refused");
      }
    }
    const serviceJobId = await this.jobService.submit(proto, submission.jobName, pipelineOptions(submission));
    const { rest, jobService } = this;
    if (rest === undefined) return new FlinkJob(serviceJobId, undefined, jobService, rest);
    const isNew = ({ jobId, name }: { jobId: string; name: string }) =>
      name === submission.jobName && !before.has(jobId);
    const jobId = await poll(`job "${submission.jobName}"`, this.options.submitDeadlineMs ?? 300_000, async () => {
      const found = (await rest.jobs()).filter(isNew);
      if (found.length > 1) throw new FlinkError(`two jobs "${submission.jobName}" were submitted at once`, "refused");
      if (found[0] !== undefined) return { done: found[0].jobId };
      const state = await jobService.state(serviceJobId);
      if (state === "FAILED") throw await failure(jobService, serviceJobId);
      return { waiting: state };
    });
    return new FlinkJob(serviceJobId, jobId, jobService, rest);
  }
}

/** One submitted job. */
export class FlinkJob {
  constructor(
    /** The job service's id, which is lost when the job server restarts. */
    readonly serviceJobId: string,
    /** Flink's id; undefined for an embedded Flink. */
    readonly jobId: string | undefined,
    private readonly jobService: JobService,
    private readonly rest: FlinkRest | undefined,
  ) {}

  /** Returns the state by Flink's REST API where it is known, by the job service otherwise. */
  async state(): Promise<FlinkJobState | JobState> {
    if (this.rest !== undefined && this.jobId !== undefined) return (await this.rest.job(this.jobId)).state;
    return this.jobService.state(this.serviceJobId);
  }

  /**
   * Asks for the job's end without a savepoint. The job service's own cancel would leave a job of a remote cluster
   * running.
   */
  async cancel(): Promise<void> {
    if (this.rest !== undefined && this.jobId !== undefined) await this.rest.cancel(this.jobId);
    else await this.jobService.cancel(this.serviceJobId);
  }

  /**
   * Resolves when the job finished. Rejects with FlinkError and the reason when it failed or was cancelled, or after
   * `deadlineMs`.
   */
  async waitUntilFinished(deadlineMs: number): Promise<void> {
    const state = await this.waitUntilFinal(deadlineMs);
    if (state !== "FINISHED" && state !== "DONE") throw await failure(this.jobService, this.serviceJobId, state);
  }

  /** Resolves with the state in which the job ended, whichever state that is. */
  waitUntilFinal(deadlineMs: number): Promise<FlinkJobState | JobState> {
    return poll(`job ${this.jobId ?? this.serviceJobId}`, deadlineMs, async () => {
      const state = await this.state();
      const final = this.jobId === undefined ? isFinalJobState(state as JobState) : isFinal(state as FlinkJobState);
      return final ? { done: state } : { waiting: state };
    });
  }

  /** Resolves when all of the job's tasks run. Rejects when the job ended before, or after `deadlineMs`. */
  async waitUntilRunning(deadlineMs: number): Promise<void> {
    await poll(`job ${this.jobId ?? this.serviceJobId}`, deadlineMs, async () => {
      const state = await this.state();
      if (["FAILED", "CANCELED", "CANCELLED"].includes(state)) {
        throw await failure(this.jobService, this.serviceJobId, state);
      }
      if (state !== "RUNNING" || this.rest === undefined || this.jobId === undefined) {
        return state === "RUNNING" ? { done: undefined } : { waiting: state };
      }
      const waiting = (await this.rest.job(this.jobId)).vertices.find((vertex) => vertex.state !== "RUNNING");
      return waiting === undefined ? { done: undefined } : { waiting: `${waiting.state} in ${waiting.name}` };
    });
  }
}

async function failure(jobService: JobService, serviceJobId: string, state = "FAILED"): Promise<FlinkError> {
  const messages = await jobService.messages(serviceJobId);
  const reason = rootCause(messages.at(-1) ?? "the job service gives no reason");
  return new FlinkError(`job ${serviceJobId} is ${state}: ${reason}`, "refused");
}

/** Returns the reason, which Java puts last: the line of the innermost "Caused by". */
function rootCause(stackTrace: string): string {
  const causes = stackTrace.split("\n").filter((line) => line.startsWith("Caused by: "));
  return (causes.at(-1) ?? stackTrace).slice(0, 2_000);
}

function pipelineOptions(submission: FlinkSubmission): PipelineOptions {
  const { jobName, streaming, parallelism, extra } = submission;
  const optional = {
    sdkWorkerParallelism: submission.sdkWorkerParallelism,
    checkpointingInterval: submission.checkpointingIntervalMs,
    checkpointTimeoutMillis: submission.checkpointTimeoutMs,
    minPauseBetweenCheckpoints: submission.minPauseBetweenCheckpointsMs,
    maxBundleSize: submission.maxBundleSize,
    maxBundleTimeMills: submission.maxBundleTimeMs,
    finishBundleBeforeCheckpointing: submission.finishBundleBeforeCheckpointing ?? true,
    savepointPath: submission.savepointPath,
    allowNonRestoredState: submission.allowNonRestoredState,
  };
  const given = Object.entries(optional).filter(([, value]) => value !== undefined);
  const modules = { registeredNodeModules: registeredModules() };
  // The elements between operators are bytes that no operator changes, so a copy by their coder is needless.
  return {
    jobName,
    streaming,
    parallelism,
    fasterCopy: true,
    ...modules,
    ...Object.fromEntries(given),
    ...extra,
  } as PipelineOptions;
}
