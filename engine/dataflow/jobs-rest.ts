// SPDX-License-Identifier: Apache-2.0
/**
 * Jobs of Dataflow by its REST API: created, listed, looked at, ended. The runner uses it, and so do an application's
 * commands about jobs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { DataflowError } from "./dataflow-error";
import type { GoogleRest, Json } from "./google-rest";
import {
  type DataflowJobRequest,
  type DataflowJobState,
  type DataflowJobSummary,
  type DataflowMessage,
  isFinalDataflowState,
} from "./job-types";

/** The label that carries a job's clientRequestId, because lists of jobs show labels. */
export const REQUEST_LABEL = "client-request-id";

const MAX_PAGES = 50;
const PAGE_JOBS = 100;

type EndState = "JOB_STATE_DRAINED" | "JOB_STATE_CANCELLED";

/**
 * A client of projects.locations.jobs (https://cloud.google.com/dataflow/docs/reference/rest). Rejects with
 * DataflowError.
 */
export class DataflowJobs {
  private readonly url: string;

  constructor(
    private readonly rest: GoogleRest,
    readonly project: string,
    readonly region: string,
  ) {
    this.url = `https://dataflow.googleapis.com/v1b3/projects/${project}/locations/${region}/jobs`;
  }

  /**
   * Creates a job once. Every attempt carries the same clientRequestId, so that a job whose answer was lost is found
   * again. The service answers a repetition either with the job or with a refusal (409), and answers a foreign job of
   * the same name with a refusal, too; the id distinguishes the two. Rejects with kind "exists" for a foreign job.
   */
  async create(job: DataflowJobRequest): Promise<DataflowJobSummary> {
    let created: DataflowJobSummary;
    try {
      created = summary(await this.rest.json({ method: "POST", url: this.url, body: job as unknown as Json }));
    } catch (error) {
      if (!(error instanceof DataflowError)) throw error;
      if (error.kind === "unreachable" || error.kind === "timeout") throw unknownOutcome(error, job.name);
      if (error.kind !== "exists") throw error;
      const named = await this.list("ALL", job.name);
      const ours = named.find((each) => isOf(each, job));
      if (ours !== undefined) return ours;
      const other = named.find(({ state }) => !isFinalDataflowState(state));
      throw new DataflowError(other === undefined ? error.message : taken(other), "exists", { cause: error });
    }
    const { clientRequestId } = created;
    if (clientRequestId !== undefined && clientRequestId !== job.clientRequestId) {
      throw new DataflowError(taken(created), "exists");
    }
    return created;
  }

  /** Returns jobs, the newest first. */
  async list(filter: "ALL" | "ACTIVE" | "TERMINATED", name?: string): Promise<DataflowJobSummary[]> {
    const found: DataflowJobSummary[] = [];
    let pageToken = "";
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = new URLSearchParams({
        filter,
        pageSize: String(PAGE_JOBS),
        ...(name === undefined ? {} : { name }),
        ...(pageToken === "" ? {} : { pageToken }),
      });
      const answer = await this.rest.json({ url: `${this.url}?${query}` });
      found.push(...((answer.jobs ?? []) as readonly Json[]).map(summary));
      pageToken = String(answer.nextPageToken ?? "");
      if (pageToken === "") break;
    }
    const wanted = name === undefined ? found : found.filter((job) => job.name === name);
    return wanted.sort((a, b) => (b.createdAt ?? "").localeCompare(a.createdAt ?? ""));
  }

  async get(jobId: string): Promise<DataflowJobSummary> {
    return summary(await this.rest.json({ url: this.jobUrl(jobId) }));
  }

  /** Asks for the job's end, which follows later (awaitState). A job that has ended stays as it is. */
  async requestState(jobId: string, requestedState: EndState): Promise<void> {
    await this.rest.json({ method: "PUT", url: this.jobUrl(jobId), body: { requestedState } });
  }

  /** Returns messages, the oldest first: warnings and errors, or all messages of a job. */
  async messages(jobId: string, least: "JOB_MESSAGE_WARNING" | "JOB_MESSAGE_BASIC"): Promise<DataflowMessage[]> {
    const found: DataflowMessage[] = [];
    let pageToken = "";
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = new URLSearchParams({ minimumImportance: least, ...(pageToken === "" ? {} : { pageToken }) });
      const answer = await this.rest.json({ url: `${this.jobUrl(jobId)}/messages?${query}` });
      for (const each of (answer.jobMessages ?? []) as readonly Json[])
        found.push({
          at: String(each.time),
          importance: String(each.messageImportance),
          text: String(each.messageText ?? ""),
        });
      pageToken = String(answer.nextPageToken ?? "");
      if (pageToken === "") break;
    }
    return found;
  }

  /**
   * Polls every `pollMs` until `isWanted` is true. Rejects with kind "timeout" after the deadline, with the state last
   * seen.
   */
  async awaitState(
    jobId: string,
    isWanted: (state: DataflowJobState) => boolean,
    { deadlineMs, pollMs = 5_000 }: { deadlineMs: number; pollMs?: number },
  ): Promise<DataflowJobState> {
    const until = performance.now() + deadlineMs;
    for (;;) {
      const { state } = await this.get(jobId);
      if (isWanted(state)) return state;
      if (performance.now() > until) {
        throw new DataflowError(`job ${jobId} is still ${state} after ${deadlineMs} ms`, "timeout");
      }
      await sleep(pollMs);
    }
  }

  /** Returns the only job of this id, or the only job of this name that has not ended. */
  async active(idOrName: string): Promise<DataflowJobSummary> {
    const jobs = await this.list("ACTIVE");
    const found = jobs.filter(
      ({ jobId, name, state }) => (jobId === idOrName || name === idOrName) && !isFinalDataflowState(state),
    );
    if (found[0] !== undefined && found.length === 1) return found[0];
    const running = jobs.map(({ name, jobId }) => `${name} (${jobId})`).join(", ") || "none";
    throw new DataflowError(
      found.length === 0
        ? `no job ${idOrName} is running; running: ${running}`
        : `${found.length} jobs are named ${idOrName}: use an id`,
      "not-found",
    );
  }

  private readonly jobUrl = (jobId: string): string => `${this.url}/${encodeURIComponent(jobId)}`;
}

const isOf = ({ clientRequestId, labels }: DataflowJobSummary, job: DataflowJobRequest): boolean =>
  clientRequestId === job.clientRequestId || labels[REQUEST_LABEL] === job.clientRequestId;

function unknownOutcome(error: DataflowError, name: string): DataflowError {
  const options = { cause: error, ...(error.status === undefined ? {} : { status: error.status }) };
  const text = `${error.message}; whether job "${name}" was created is not known: look for it before submitting again`;
  return new DataflowError(text, error.kind, options);
}

const taken = ({ name, jobId, state }: DataflowJobSummary): string => `a job "${name}" is ${state} already: ${jobId}`;

function summary(job: Json): DataflowJobSummary {
  const text = (name: string): string | undefined =>
    typeof job[name] === "string" ? (job[name] as string) : undefined;
  return {
    jobId: String(job.id),
    name: String(job.name),
    type: String(job.type),
    state: (text("currentState") ?? "JOB_STATE_UNKNOWN") as DataflowJobState,
    createdAt: text("createTime"),
    stateSince: text("currentStateTime"),
    replacedByJobId: text("replacedByJobId"),
    clientRequestId: text("clientRequestId"),
    labels: (job.labels ?? {}) as Record<string, string>,
  };
}
