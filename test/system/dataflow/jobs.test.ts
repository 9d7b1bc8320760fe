// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { preparedStream } from "../../../cli/deployment/dataflow/prepared-jobs";
import { buildPipelineProto, replaceEnvironments } from "../../../engine";
import { DataflowError, DataflowRunner, type PreparedJob, prepareJob } from "../../../engine/dataflow";
import { FakeGoogle, type Fault } from "./fake-google";
import { goldenConfig } from "./golden-config";
import { PROJECT, REGION } from "./google-world";

const MAX_ATTEMPTS = 6;
const DEADLINE_MS = 10_000;

let google: FakeGoogle;
let prepared: PreparedJob;

beforeAll(async () => {
  prepared = await stream("request-1");
});
beforeEach(async () => {
  google = await FakeGoogle.start();
});
afterEach(async () => {
  expect(google.wrong).toEqual([]);
  await google.stop();
});

const stream = (requestId: string, replaced?: Parameters<typeof preparedStream>[2]) =>
  preparedStream(goldenConfig(), requestId, replaced);

const runnerOf = (fake: FakeGoogle): DataflowRunner =>
  new DataflowRunner({
    project: PROJECT,
    region: REGION,
    endpoint: fake.endpoint,
    token: fake.token,
    pollMs: 1,
    retryPauseMs: 1,
    maxAttempts: MAX_ATTEMPTS,
  });

const isCreate = ({ method, path }: { method: string; path: string }): boolean =>
  method === "POST" && path.endsWith("/jobs");

/** The first creations get these faults, one after the other; later ones pass. */
function faultCreations(fake: FakeGoogle, faults: readonly Fault[]): void {
  const left = [...faults];
  fake.faultFor = (request) => (isCreate(request) ? (left.shift() ?? "none") : "none");
}

const rejection = async (promise: Promise<unknown>): Promise<DataflowError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataflowError);
  return error as DataflowError;
};

describe("a job", () => {
  test("is created once its graph is staged, and runs", async () => {
    const job = await runnerOf(google).create(prepared);
    expect(google.objects.get(prepared.pipelineUrl)?.equals(Buffer.from(prepared.pipeline))).toBe(true);
    await job.waitUntilRunning(DEADLINE_MS);
    expect(google.jobs.jobs.map(({ state }) => state)).toEqual(["JOB_STATE_RUNNING"]);
  });

  test.each(["the-job", "refused"] as const)(
    "whose creation was not answered is found again, not made again, where the service tells of it by %s",
    async (repeated) => {
      google.jobs.repeatedRequests = repeated;
      faultCreations(google, ["lost-answer"]);
      const job = await runnerOf(google).create(prepared);
      expect(google.jobs.jobs.map(({ id }) => id)).toEqual([job.jobId]);
      const sent = google.requests.filter(isCreate).map(({ body }) => body.toString());
      expect(sent).toHaveLength(2);
      expect(new Set(sent).size).toBe(1);
    },
  );

  test("of somebody else that has the name is no job of ours", async () => {
    const other = await runnerOf(google).create(await stream("request-of-another"));
    const error = await rejection(runnerOf(google).create(prepared));
    expect(error.kind).toBe("exists");
    expect(error.message).toContain(other.jobId);
    expect(google.jobs.jobs).toHaveLength(1);
  });

  test("is not tried for ever", async () => {
    google.faultFor = (request) => (isCreate(request) ? 503 : "none");
    const error = await rejection(runnerOf(google).create(prepared));
    expect([error.kind, error.status]).toEqual(["unreachable", 503]);
    expect(error.message).toContain('whether job "viewmill-stream" was created is not known');
    expect(google.requests.filter(isCreate)).toHaveLength(MAX_ATTEMPTS);
  });

  test("that Dataflow refuses is not sent again", async () => {
    const request = { ...prepared.request, name: "Not-A-Name" };
    const error = await rejection(runnerOf(google).create({ ...prepared, request }));
    expect(error.kind).toBe("refused");
    expect(google.requests.filter(isCreate)).toHaveLength(1);
  });
});

test.each<Fault>([503, "lost-answer", "cut"])("a graph is staged whole, once more after %s", async (fault) => {
  const left: Fault[] = [fault];
  google.faultFor = ({ host }) => (host === "storage.googleapis.com" ? (left.shift() ?? "none") : "none");
  await runnerOf(google).create(prepared);
  expect(google.requests.filter(({ path }) => path.startsWith("/upload/"))).toHaveLength(2);
  expect(google.objects.get(prepared.pipelineUrl)?.equals(Buffer.from(prepared.pipeline))).toBe(true);
});

test("without a bucket to stage to, nothing is created", async () => {
  google.world.buckets.clear();
  expect((await rejection(runnerOf(google).create(prepared))).kind).toBe("not-found");
  expect(google.jobs.jobs).toEqual([]);
});

test("whatever befalls the requests, there is one job or a clear error, and never two jobs", async () => {
  const faults = fc.constantFrom<Fault>("none", 429, 500, 503, "lost-answer", "cut");
  const script = fc.record({
    faults: fc.array(faults, { maxLength: 14 }),
    repeated: fc.constantFrom("the-job" as const, "refused" as const),
  });
  // A failure prints its seed.
  await fc.assert(
    fc.asyncProperty(script, async (world) => {
      const fake = await FakeGoogle.start();
      try {
        const left = [...world.faults];
        fake.jobs.repeatedRequests = world.repeated;
        fake.faultFor = ({ host }) => (host === "dataflow.googleapis.com" ? (left.shift() ?? "none") : "none");
        const outcome = await runnerOf(fake)
          .create(prepared)
          .catch((error: unknown) => error);
        const created = fake.jobs.jobs.map(({ id }) => id);
        expect(created.length).toBeLessThanOrEqual(1);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(DataflowError);
        else expect(created).toEqual([(outcome as { jobId: string }).jobId]);
        // One that was told of an error may try again, and gets the job that it made.
        fake.faultFor = () => "none";
        const { jobId } = await runnerOf(fake).create(prepared);
        expect(fake.jobs.jobs.map(({ id }) => id)).toEqual([jobId]);
        expect(fake.wrong).toEqual([]);
      } finally {
        await fake.stop();
      }
    }),
    { numRuns: 30 },
  );
}, 120_000);

describe("a job that runs", () => {
  const running = async () => {
    const runner = runnerOf(google);
    const job = await runner.create(prepared);
    await job.waitUntilRunning(DEADLINE_MS);
    return { runner, job };
  };

  test("is drained, and is DRAINING before it is DRAINED", async () => {
    const { job } = await running();
    google.jobs.looksPerState = 2;
    await job.drain();
    expect(google.jobs.jobs[0]?.state).toBe("JOB_STATE_DRAINING");
    expect(await job.waitUntilFinal(DEADLINE_MS)).toBe("JOB_STATE_DRAINED");
  });

  test("is cancelled; asking again changes nothing", async () => {
    const { job } = await running();
    await job.cancel();
    expect(await job.waitUntilFinal(DEADLINE_MS)).toBe("JOB_STATE_CANCELLED");
    await job.cancel();
    expect(await job.state()).toBe("JOB_STATE_CANCELLED");
  });

  test("is replaced by an update, which names it and the transforms that are called otherwise", async () => {
    const { runner, job } = await running();
    const replaced = { jobId: job.jobId, transformNameMapping: { Old: "New" } };
    const update = await runner.create(await stream("request-2", replaced));
    await update.waitUntilRunning(DEADLINE_MS);
    expect(google.jobs.jobs.map(({ state }) => state)).toEqual(["JOB_STATE_UPDATED", "JOB_STATE_RUNNING"]);
    expect(google.jobs.jobs[1]?.request).toMatchObject({
      replaceJobId: job.jobId,
      transformNameMapping: { Old: "New" },
    });
  });

  test("goes on when its update fails, which says why", async () => {
    const { runner, job } = await running();
    google.jobs.failNext = ["The new job is not compatible with 2026: the Coder has changed."];
    const update = await runner.create(await stream("request-2", { jobId: job.jobId }));
    const error = await rejection(update.waitUntilRunning(DEADLINE_MS));
    expect(error.kind).toBe("failed");
    expect(error.message).toContain("the Coder has changed");
    expect(await job.state()).toBe("JOB_STATE_RUNNING");
  });

  test("is found by its name, and listed over several pages with those that ended", async () => {
    const { runner, job } = await running();
    expect((await runner.jobs.active("viewmill-stream")).jobId).toBe(job.jobId);
    await job.cancel();
    await job.waitUntilFinal(DEADLINE_MS);
    const again = await runner.create(await stream("request-3"));
    expect((await runner.jobs.list("ALL")).map(({ jobId }) => jobId)).toEqual([again.jobId, job.jobId]);
    expect((await runner.jobs.list("TERMINATED")).map(({ jobId }) => jobId)).toEqual([job.jobId]);
    expect((await rejection(runner.jobs.active("nothing"))).message).toContain("viewmill-stream (");
  });
});

test("a job that does not end in time is said to be what it was last", async () => {
  const job = await runnerOf(google).create(prepared);
  expect((await rejection(job.waitUntilFinished(5))).message).toMatch(
    /is still JOB_STATE_(PENDING|RUNNING) after 5 ms/,
  );
});

describe("a graph that cannot run on Dataflow is refused before anything is sent", () => {
  const bounded = () => buildPipelineProto((root) => root);
  const submission = { jobName: "a", streaming: true, tempLocation: "gs://bucket/x", requestId: "r", publicIps: true };

  test("with workers that are no container", async () => {
    const { request } = prepareJob(replaceEnvironments(await bounded(), { image: "host.dev/a:1" }), submission);
    expect(request.environment.workerPools[0]?.sdkHarnessContainerImages).toEqual([]);
    const pooled = preparedStream(goldenConfig(), "r").then(({ pipeline }) => pipeline);
    expect((await pooled).byteLength).toBeGreaterThan(1_000);
  });

  test.each([
    [{ jobName: "Not A Name" }, /"Not A Name" is no name of a job/],
    [{ tempLocation: "s3://bucket/x" }, /no gs:\/\/BUCKET/],
    [{ bootSettings: { apiToken: "x" } }, /worker_boot_settings\.apiToken looks like a secret/],
    [{ bootSettings: { workerSettings: '{"kafka":{"password":"x"}}' } }, /kafka\.password looks like a secret/],
    [{ bootSettings: { workerSettings: "-----BEGIN PRIVATE KEY-----" } }, /worker_boot_settings looks like a secret/],
  ])("%j", async (wrong, message) => {
    const proto = replaceEnvironments(await bounded(), { image: "host.dev/a:1" });
    expect(() => prepareJob(proto, { ...submission, ...wrong })).toThrow(message);
  });
});
