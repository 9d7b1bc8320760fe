// SPDX-License-Identifier: Apache-2.0
/**
 * Jobs as Dataflow keeps them: created once a request id, of one name at a time, moving from state to state as they are
 * looked at.
 */
import { createHash } from "node:crypto";
import type { DataflowJobRequest, DataflowJobState } from "../../../engine/dataflow";

export interface FakeAnswer {
  status: number;
  body: unknown;
}

interface FakeJob {
  id: string;
  request: DataflowJobRequest;
  state: DataflowJobState;
  createTime: string;
  stateTime: string;
  replacedByJobId?: string;
  messages: { messageText: string; messageImportance: string }[];
}

/** The answer of the service to a known id: the job itself, or a refusal that says no more than that. */
type RepeatedRequests = "the-job" | "refused";

const FINAL = new Set([
  "JOB_STATE_DONE",
  "JOB_STATE_FAILED",
  "JOB_STATE_CANCELLED",
  "JOB_STATE_UPDATED",
  "JOB_STATE_DRAINED",
]);
const ID_MARK = "2026-11-21_10_00_";

export class FakeJobs {
  readonly jobs: FakeJob[] = [];
  repeatedRequests: RepeatedRequests = "the-job";
  /** The next job that starts fails, with these errors. */
  failNext: string[] | undefined;
  /** Looks at a job before it moves on. */
  looksPerState = 1;
  private readonly looks = new Map<string, number>();
  private now = Date.UTC(2026, 10, 21, 10);

  /** `staged` gives the bytes of an object, as the service fetches the graph. */
  constructor(private readonly staged: (url: string) => Uint8Array | undefined) {}

  get active(): FakeJob[] {
    return this.jobs.filter(({ state }) => !FINAL.has(state));
  }

  create(request: DataflowJobRequest): FakeAnswer {
    const wrong = this.unfit(request);
    if (wrong !== undefined) return refusal(400, "INVALID_ARGUMENT", wrong);
    const same = this.jobs.find((job) => job.request.clientRequestId === request.clientRequestId);
    if (same !== undefined) {
      if (this.repeatedRequests === "the-job") return { status: 200, body: this.told(same) };
      return refusal(409, "ALREADY_EXISTS", `the request ${request.clientRequestId} is known`);
    }
    const named = this.active.find((job) => job.request.name === request.name);
    if (request.replaceJobId === undefined && named !== undefined) {
      return refusal(409, "ALREADY_EXISTS", `there is already an active job named ${request.name}: ${named.id}`);
    }
    if (request.replaceJobId !== undefined && named?.id !== request.replaceJobId) {
      return refusal(400, "FAILED_PRECONDITION", `no running job ${request.replaceJobId}`);
    }
    const time = this.tick();
    const id = `${ID_MARK}${String(this.jobs.length + 1).padStart(2, "0")}-1`;
    const job: FakeJob = { id, request, state: "JOB_STATE_PENDING", createTime: time, stateTime: time, messages: [] };
    this.jobs.push(job);
    return { status: 200, body: this.told(job) };
  }

  list(query: URLSearchParams): FakeAnswer {
    const [filter, name] = [query.get("filter"), query.get("name")];
    const pageSize = Number(query.get("pageSize") ?? 50);
    const from = Number(query.get("pageToken") ?? 0);
    const wanted = this.jobs.filter(
      ({ request, state }) =>
        (name === null || request.name === name) &&
        (filter !== "ACTIVE" || !FINAL.has(state)) &&
        (filter !== "TERMINATED" || FINAL.has(state)),
    );
    // Newest first, as the service lists them.
    const page = wanted.reverse().slice(from, from + pageSize);
    const more = from + pageSize < wanted.length ? { nextPageToken: String(from + pageSize) } : {};
    // Summaries: without the environment, and without the request's id.
    const jobs = page.map((job) => ({ ...this.told(job), clientRequestId: undefined }));
    return { status: 200, body: { jobs, ...more } };
  }

  get(id: string): FakeAnswer {
    const job = this.jobs.find((each) => each.id === id);
    if (job === undefined) return refusal(404, "NOT_FOUND", `no job ${id}`);
    const looks = (this.looks.get(id) ?? 0) + 1;
    this.looks.set(id, looks);
    if (looks % this.looksPerState === 0) this.moveOn(job);
    return { status: 200, body: this.told(job) };
  }

  request(id: string, requestedState: DataflowJobState): FakeAnswer {
    const job = this.jobs.find((each) => each.id === id);
    if (job === undefined) return refusal(404, "NOT_FOUND", `no job ${id}`);
    const next = { JOB_STATE_DRAINED: "JOB_STATE_DRAINING", JOB_STATE_CANCELLED: "JOB_STATE_CANCELLING" } as const;
    if (!(requestedState in next))
      return refusal(400, "INVALID_ARGUMENT", `a job cannot be asked to be ${requestedState}`);
    if (requestedState === "JOB_STATE_DRAINED" && job.request.type === "JOB_TYPE_BATCH") {
      return refusal(400, "FAILED_PRECONDITION", "only streaming jobs can be drained");
    }
    if (!FINAL.has(job.state)) this.become(job, next[requestedState as keyof typeof next]);
    return { status: 200, body: this.told(job) };
  }

  messages(id: string, query: URLSearchParams): FakeAnswer {
    const job = this.jobs.find((each) => each.id === id);
    if (job === undefined) return refusal(404, "NOT_FOUND", `no job ${id}`);
    const order = [
      "JOB_MESSAGE_DEBUG",
      "JOB_MESSAGE_DETAILED",
      "JOB_MESSAGE_BASIC",
      "JOB_MESSAGE_WARNING",
      "JOB_MESSAGE_ERROR",
    ];
    const least = order.indexOf(query.get("minimumImportance") ?? "JOB_MESSAGE_DEBUG");
    const jobMessages = job.messages
      .filter(({ messageImportance }) => order.indexOf(messageImportance) >= least)
      .map((message, at) => ({ id: String(at), time: job.stateTime, ...message }));
    return { status: 200, body: jobMessages.length === 0 ? {} : { jobMessages } };
  }

  private moveOn(job: FakeJob): void {
    if (job.state === "JOB_STATE_PENDING") this.start(job);
    else if (job.state === "JOB_STATE_DRAINING") this.become(job, "JOB_STATE_DRAINED");
    else if (job.state === "JOB_STATE_CANCELLING") this.become(job, "JOB_STATE_CANCELLED");
    else if (job.state === "JOB_STATE_RUNNING" && job.request.type === "JOB_TYPE_BATCH")
      this.become(job, "JOB_STATE_DONE");
  }

  private start(job: FakeJob): void {
    if (this.failNext !== undefined) {
      const errors = this.failNext.map((messageText) => ({ messageText, messageImportance: "JOB_MESSAGE_ERROR" }));
      job.messages.push({ messageText: "Worker configuration: x.", messageImportance: "JOB_MESSAGE_BASIC" }, ...errors);
      this.failNext = undefined;
      this.become(job, "JOB_STATE_FAILED");
      return;
    }
    this.become(job, "JOB_STATE_RUNNING");
    const replaced = this.jobs.find(({ id }) => id === job.request.replaceJobId);
    if (replaced === undefined) return;
    replaced.replacedByJobId = job.id;
    this.become(replaced, "JOB_STATE_UPDATED");
  }

  private become(job: FakeJob, state: DataflowJobState): void {
    job.state = state;
    job.stateTime = this.tick();
  }

  private tick(): string {
    this.now += 1_000;
    return new Date(this.now).toISOString();
  }

  private told({ id, request, state, createTime, stateTime, replacedByJobId }: FakeJob) {
    const { name, type, clientRequestId, labels, replaceJobId } = request;
    return {
      ...{ id, name, type, clientRequestId, labels, createTime, replaceJobId, replacedByJobId },
      currentState: state,
      currentStateTime: stateTime,
    };
  }

  /**
   * The checks of the service before it takes a job: a name, and a complete graph with workers for all its transforms.
   */
  private unfit({ name, type, environment }: DataflowJobRequest): string | undefined {
    if (!/^[a-z]([-a-z0-9]{0,1022}[a-z0-9])?$/.test(name)) return `the name ${name}`;
    if (environment.version.job_type !== (type === "JOB_TYPE_STREAMING" ? "FNAPI_STREAMING" : "FNAPI_BATCH"))
      return "job_type";
    const { pipelineUrl, pipelineProtoHash } = environment.sdkPipelineOptions.options;
    const graph = this.staged(String(pipelineUrl));
    if (graph === undefined) return `nothing is staged at ${String(pipelineUrl)}`;
    if (createHash("sha256").update(graph).digest("hex") !== pipelineProtoHash) return "pipelineProtoHash";
    const [pool] = environment.workerPools;
    if (pool === undefined || pool.sdkHarnessContainerImages.length === 0) return "no images";
    return undefined;
  }
}

export const refusal = (code: number, status: string, message: string): FakeAnswer => ({
  status: code,
  body: { error: { code, message, status } },
});
