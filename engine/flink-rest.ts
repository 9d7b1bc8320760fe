// SPDX-License-Identifier: Apache-2.0
/**
 * Flink's REST API: jobs, checkpoints, savepoints and errors, as the runner and an application's commands about jobs
 * need them.
 */

/** Thrown when Flink or the job service refuses a request, or does not answer in time. */
export class FlinkError extends Error {
  override readonly name = "FlinkError";

  constructor(
    message: string,
    /**
     * Why there is no success: no server answered, the job does not exist, the request was refused, or a deadline
     * passed.
     */
    readonly kind: "unreachable" | "not-found" | "refused" | "timeout",
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The states of a Flink job; the last four are final. */
export type FlinkJobState =
  | "INITIALIZING"
  | "CREATED"
  | "RUNNING"
  | "RESTARTING"
  | "FAILING"
  | "CANCELLING"
  | "SUSPENDED"
  | "RECONCILING"
  | "FINISHED"
  | "FAILED"
  | "CANCELED";

export const isFinal = (state: FlinkJobState): boolean => ["FINISHED", "FAILED", "CANCELED"].includes(state);

export interface FlinkJobSummary {
  readonly jobId: string;
  readonly name: string;
  readonly state: FlinkJobState;
  readonly startedAtMs: number;
  readonly durationMs: number;
}

export interface FlinkJobDetails extends FlinkJobSummary {
  readonly vertices: readonly { readonly name: string; readonly parallelism: number; readonly state: string }[];
}

export interface FlinkCheckpoints {
  readonly completed: number;
  readonly failed: number;
  readonly inProgress: number;
  /** How often the job resumed from a checkpoint or savepoint. */
  readonly restored: number;
  readonly lastCompleted:
    | {
        readonly id: number;
        readonly triggeredAtMs: number;
        readonly durationMs: number;
        readonly sizeBytes: number;
        readonly path: string | undefined;
      }
    | undefined;
  readonly lastFailure: string | undefined;
}

export interface FlinkException {
  readonly atMs: number;
  readonly name: string;
  readonly task: string | undefined;
  readonly stackTrace: string;
}

type Json = Record<string, unknown>;

const pollMs = 200;

/**
 * A client of Flink's REST API (https://nightlies.apache.org/flink/flink-docs-release-1.19/docs/ops/rest_api/). Rejects
 * with FlinkError.
 */
export class FlinkRest {
  private readonly url: string;

  constructor(
    url: string,
    private readonly timeoutMs = 10_000,
  ) {
    this.url = url.replace(/\/+$/, "");
  }

  /** Returns all jobs that the cluster remembers, newest first. */
  async jobs(): Promise<FlinkJobSummary[]> {
    const { jobs } = (await this.request("GET", "/jobs/overview")) as { jobs: Json[] };
    return jobs.map(summary).sort((a, b) => b.startedAtMs - a.startedAtMs);
  }

  async job(jobId: string): Promise<FlinkJobDetails> {
    const details = await this.request("GET", `/jobs/${jobId}`);
    const vertices = (details.vertices as Json[]).map(({ name, parallelism, status }) => ({
      name: String(name),
      parallelism: Number(parallelism),
      state: String(status),
    }));
    return { ...summary(details), vertices };
  }

  /** Returns the checkpoints as Flink last saw them, perhaps some seconds ago. */
  async checkpoints(jobId: string): Promise<FlinkCheckpoints> {
    const answer = await this.request("GET", `/jobs/${jobId}/checkpoints`);
    const counts = answer.counts as Record<string, number>;
    const { completed, failed } = answer.latest as Record<string, Json | null>;
    return {
      completed: counts.completed ?? 0,
      failed: counts.failed ?? 0,
      inProgress: counts.in_progress ?? 0,
      restored: counts.restored ?? 0,
      lastCompleted: completed
        ? {
            id: Number(completed.id),
            triggeredAtMs: Number(completed.trigger_timestamp),
            durationMs: Number(completed.end_to_end_duration),
            sizeBytes: Number(completed.state_size),
            path: optionalText(completed.external_path),
          }
        : undefined,
      lastFailure: failed ? optionalText(failed.failure_message) : undefined,
    };
  }

  /**
   * Begins a checkpoint now, beside those of the interval. `checkpoints` knows of it some seconds later, and shows how
   * it ends.
   */
  async beginCheckpoint(jobId: string): Promise<void> {
    await this.request("POST", `/jobs/${jobId}/checkpoints`, { checkpointType: "CONFIGURED" });
  }

  /** Returns the failures that Flink remembers of a job, newest first. */
  async exceptions(jobId: string): Promise<FlinkException[]> {
    const answer = await this.request("GET", `/jobs/${jobId}/exceptions?maxExceptions=20`);
    const { entries } = answer.exceptionHistory as { entries: Json[] };
    return entries.map(({ timestamp, exceptionName, taskName, stacktrace }) => ({
      atMs: Number(timestamp),
      name: String(exceptionName),
      task: optionalText(taskName),
      stackTrace: String(stacktrace),
    }));
  }

  /** Asks for the end of a job, without a savepoint; `awaitState` waits for the end. */
  async cancel(jobId: string): Promise<void> {
    await this.request("PATCH", `/jobs/${jobId}?mode=cancel`);
  }

  /** Writes a savepoint and lets the job continue. Resolves with the savepoint's path once it is complete. */
  savepoint(jobId: string, options: { directory?: string; deadlineMs: number }): Promise<string> {
    return this.triggerSavepoint(jobId, false, options);
  }

  /**
   * Writes a savepoint and cancels the job once the savepoint is complete; resolves with its path. Rejects, and leaves
   * the job running, when the savepoint cannot be written. Flink's own stop-with-savepoint is no alternative. It ends
   * Beam's sources first, which then declare their end, so that every window was closed and its state gone before the
   * savepoint (a late pane of the resumed job held later elements only). The resumed job repeats the work that the job
   * does between savepoint and cancellation.
   */
  stopWithSavepoint(jobId: string, options: { directory?: string; deadlineMs: number }): Promise<string> {
    return this.triggerSavepoint(jobId, true, options);
  }

  /**
   * Resolves with the job's state once `wanted` is true for it; rejects with a FlinkError "timeout" after `deadlineMs`.
   */
  async awaitState(
    jobId: string,
    wanted: (state: FlinkJobState) => boolean,
    deadlineMs: number,
  ): Promise<FlinkJobState> {
    return poll(`job ${jobId}`, deadlineMs, async () => {
      const { state } = await this.job(jobId);
      return wanted(state) ? { done: state } : { waiting: state };
    });
  }

  private async triggerSavepoint(
    jobId: string,
    cancel: boolean,
    { directory, deadlineMs }: { directory?: string; deadlineMs: number },
  ): Promise<string> {
    const body = { ...(directory !== undefined && { "target-directory": directory }), "cancel-job": cancel };
    const { "request-id": requestId } = await this.request("POST", `/jobs/${jobId}/savepoints`, body);
    return poll(`savepoint of job ${jobId}`, deadlineMs, async () => {
      const answer = await this.request("GET", `/jobs/${jobId}/savepoints/${String(requestId)}`);
      const { id } = answer.status as { id: string };
      if (id !== "COMPLETED") return { waiting: id };
      const { location, "failure-cause": failure } = answer.operation as Json;
      if (failure !== undefined) {
        throw new FlinkError(`no savepoint: ${firstLines((failure as Json)["stack-trace"])}`, "refused");
      }
      return { done: String(location) };
    });
  }

  private async request(method: string, path: string, body?: Json): Promise<Json> {
    const { status, text } = await this.fetch(method, path, body);
    if (status >= 200 && status < 300) return text === "" ? {} : (JSON.parse(text) as Json);
    const kind = status === 404 ? "not-found" : "refused";
    throw new FlinkError(`Flink answered ${status} to ${method} ${path}: ${errorText(text)}`, kind);
  }

  private async fetch(method: string, path: string, body?: Json): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(`${this.url}${path}`, {
        method,
        signal: AbortSignal.timeout(this.timeoutMs),
        ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      const late = error instanceof Error && error.name === "TimeoutError";
      const what = late ? `no answer within ${this.timeoutMs} ms` : String((error as Error).cause ?? error);
      const kind = late ? "timeout" : "unreachable";
      throw new FlinkError(`${method} ${this.url}${path}: ${what}`, kind, { cause: error });
    }
  }
}

/** Polls until there is an answer; rejects with a FlinkError "timeout" that names the answer last seen. */
export async function poll<Answer>(
  what: string,
  deadlineMs: number,
  ask: () => Promise<{ done: Answer } | { waiting: string }>,
): Promise<Answer> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if ("done" in answer) return answer.done;
    if (performance.now() > until) {
      throw new FlinkError(`${what} is still ${answer.waiting} after ${deadlineMs} ms`, "timeout");
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function summary(job: Json): FlinkJobSummary {
  return {
    jobId: String(job.jid),
    name: String(job.name),
    state: job.state as FlinkJobState,
    startedAtMs: Number(job["start-time"]),
    durationMs: Number(job.duration),
  };
}

const optionalText = (value: unknown): string | undefined =>
  value === undefined || value === null || value === "<checkpoint-not-externally-addressable>"
    ? undefined
    : String(value);

/** Flink's errors are stack traces in an array, whose first line names the error. */
function errorText(text: string): string {
  try {
    const { errors } = JSON.parse(text) as { errors?: string[] };
    return firstLines(errors?.join("\n") ?? text);
  } catch {
    return firstLines(text);
  }
}

const firstLines = (text: unknown): string => String(text).split("\n").slice(0, 3).join(" | ").slice(0, 1_000);
