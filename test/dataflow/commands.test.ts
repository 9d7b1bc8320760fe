/** The commands as they are called, against the fake; their credentials come from its metadata server. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeFolders, temporaryFolder } from "../contracts/condition";
import { FakeGoogle } from "./fake-google";
import { goldenConfig } from "./golden-config";
import { SUBSCRIPTION } from "./google-world";

const CLI = join(__dirname, "..", "..", "cli", "main.js");
const ON_DATAFLOW = ["--runner", "dataflow"];

let google: FakeGoogle;
let config: string;

beforeEach(async () => {
  google = await FakeGoogle.start();
  config = join(temporaryFolder(), "viewmill.json");
  writeFileSync(config, JSON.stringify(goldenConfig({ endpoint: google.endpoint })));
});
afterEach(async () => {
  expect(google.wrong).toEqual([]);
  await google.stop();
});
afterAll(removeFolders);

interface Ended {
  status: number | null;
  out: string;
  err: string;
}

/** `viewmill pipeline ...`, not to its end in this thread: the fake answers from it. */
function viewmill(args: readonly string[], env: Record<string, string> = metadataServer()): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...args, "--config", config], {
    env: { PATH: process.env.PATH, HOME: temporaryFolder(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, out, err })));
}

const metadataServer = () => ({ GCE_METADATA_HOST: google.endpoint.replace("http://", "") });

test("a job's life: submitted, listed, told of, updated, drained", async () => {
  const submitted = await viewmill(["pipeline", "stream", ...ON_DATAFLOW, "--json", "--label", "run=1"]);
  expect([submitted.err, submitted.status]).toEqual(["", 0]);
  const { jobId } = JSON.parse(submitted.out) as { jobId: string };
  expect(google.jobs.active.map(({ id, state }) => [id, state])).toEqual([[jobId, "JOB_STATE_RUNNING"]]);
  expect(google.jobs.jobs[0]?.request.labels).toMatchObject({ team: "counting", run: "1" });

  const [listed, told] = await Promise.all([
    viewmill(["pipeline", "list", ...ON_DATAFLOW, "--json"]),
    viewmill(["pipeline", "status", "viewmill-stream", ...ON_DATAFLOW]),
  ]);
  expect(JSON.parse(listed.out)).toMatchObject([{ jobId, name: "viewmill-stream", state: "JOB_STATE_RUNNING" }]);
  expect(told.out).toMatch(`job ${jobId} (viewmill-stream) is JOB_STATE_RUNNING`);

  const updated = await viewmill(["pipeline", "update", ...ON_DATAFLOW, "--rename", "Old=New"]);
  expect([updated.err, updated.status]).toEqual(["", 0]);
  const [old, now] = google.jobs.jobs;
  expect(updated.out).toMatch(`job ${now?.id} (viewmill-stream) is running in the place of ${jobId}`);
  expect([old?.state, now?.request.transformNameMapping]).toEqual(["JOB_STATE_UPDATED", { Old: "New" }]);

  const drained = await viewmill(["pipeline", "drain", "viewmill-stream", ...ON_DATAFLOW]);
  expect(drained.out).toMatch(`job ${now?.id} is JOB_STATE_DRAINED`);
}, 60_000);

test("everything that is missing is told in lines, with status 1, and nothing is created", async () => {
  google.world.images.clear();
  google.world.subscriptions.clear();
  const { status, out, err } = await viewmill(["pipeline", "stream", ...ON_DATAFLOW]);
  expect([status, out]).toEqual([1, ""]);
  expect(err.trimEnd().split("\n")).toEqual([
    "viewmill: nothing was created; 2 missing, each with the command that mends it",
    expect.stringMatching(/^ {2}image .* does not exist: docker build .* && docker push /),
    expect.stringMatching(/^ {2}projects\/.* does not exist: gcloud pubsub subscriptions create viewmill-stream /),
  ]);
  expect(google.changes).toEqual([]);
  expect(google.jobs.jobs).toEqual([]);
});

test("no credentials anywhere: one line that says how to get them", async () => {
  google.world.hasCredentials = false;
  const { status, err } = await viewmill(["pipeline", "stream", ...ON_DATAFLOW], { METADATA_SERVER_DETECTION: "none" });
  expect(status).toBe(1);
  expect(err).toMatch(/\n {2}no Google credentials: .*: gcloud auth application-default login\n$/);
  expect(google.requests).toEqual([]);
});

test("a wrong region is one clear line", async () => {
  const { status, err } = await viewmill(["pipeline", "stream", ...ON_DATAFLOW, "--region", "europe-nowhere1"]);
  expect(status).toBe(1);
  expect(err).toMatch(/\n {2}"europe-nowhere1" is no region of Dataflow .*: gcloud compute regions list .*\n$/);
});

test("a job that takes over sets its subscription back to before its first minute, before it is created", async () => {
  const kept = { retainAckedMessages: true, messageRetentionDuration: "604800s" };
  google.world.subscriptions.set(SUBSCRIPTION, { name: SUBSCRIPTION, topic: "t", ...kept });
  const minuteMs = Math.floor(Date.now() / 60_000 - 30) * 60_000;
  const takeOver = ["--take-over-from", new Date(minuteMs).toISOString()];
  const { status, err } = await viewmill(["pipeline", "stream", ...ON_DATAFLOW, ...takeOver]);
  expect([err, status]).toEqual(["", 0]);
  const [seek, ...later] = google.changes;
  expect(seek?.path).toBe(`/v1/${SUBSCRIPTION}:seek`);
  const { time } = JSON.parse(seek!.body.toString()) as { time: string };
  expect(Math.abs(Date.parse(time) - (minuteMs - 600_000))).toBeLessThan(60_000);
  expect(later.map(({ path }) => path.split("/").at(-1))).toEqual(["o", "jobs"]);
  const { worker_boot_settings } = google.jobs.jobs[0]!.request.environment.sdkPipelineOptions.options;
  expect(String(worker_boot_settings)).toContain(String(minuteMs / 60_000));
});

test.each([
  [["pipeline", "savepoint", "x", ...ON_DATAFLOW], /only jobs of flink can do this .*pipeline update/],
  [["pipeline", "drain", "x"], /only jobs of dataflow can do this .*savepoint --stop/],
  [["pipeline", "stream", ...ON_DATAFLOW, "--log", "kafka"], /a job on Dataflow reads Pub\/Sub, not kafka/],
  [["pipeline", "stream", ...ON_DATAFLOW, "--from-savepoint", "x"], /savepoints are Flink's/],
  [["pipeline", "cancel", "nothing", ...ON_DATAFLOW], /no job nothing is running; running: none/],
])("%j is one clear line", async (args, message) => {
  const { status, err } = await viewmill(args);
  expect(status).toBe(1);
  expect(err).toMatch(message);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
});
