// SPDX-License-Identifier: Apache-2.0
/** The commands as they are called, against the fake; their credentials come from its metadata server. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { register } from "../../../cli/commands/pipeline";
import { BARE_ENVIRONMENT } from "../../bare-environment";
import { removeFolders, temporaryFolder } from "../../io/ports/condition";
import { FakeGoogle, metadataServerOf } from "./fake-google";
import { goldenConfig } from "./golden-config";
import { SUBSCRIPTION } from "./google-world";

const CLI = join(__dirname, "..", "..", "..", "cli", "main.js");
const ON_DATAFLOW = ["--runner", "dataflow"];

let google: FakeGoogle;
let config: string;

beforeEach(async () => {
  google = await FakeGoogle.start();
  for (const [name, value] of Object.entries(metadataServerOf(google))) vi.stubEnv(name, value);
  config = join(temporaryFolder(), "viewmill.json");
  writeFileSync(config, JSON.stringify(goldenConfig({ endpoint: google.endpoint })));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  expect(google.wrong).toEqual([]);
  await google.stop();
});
afterAll(removeFolders);

/** `viewmill ...` in this process: what it prints. Rejects with what the program would end with. */
async function viewmill(...args: readonly string[]): Promise<string> {
  const program = new Command("viewmill").exitOverride().enablePositionalOptions();
  register(program);
  const printed: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed.push(String(text));
    return true;
  });
  try {
    await program.parseAsync(["node", "viewmill", "pipeline", ...args, "--config", config]);
  } finally {
    write.mockRestore();
  }
  return printed.join("");
}

/** The same as a process of its own; the fake answers from this one. */
function viewmillProcess(
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ status: number | null; err: string }> {
  const child = spawn(process.execPath, [CLI, "pipeline", ...args, "--config", config], {
    env: { ...BARE_ENVIRONMENT, HOME: temporaryFolder(), ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, err })));
}

test("a job's life: submitted, listed, told of, updated, drained", async () => {
  const { jobId } = JSON.parse(await viewmill("stream", ...ON_DATAFLOW, "--json", "--label", "run=1")) as {
    jobId: string;
  };
  expect(google.jobs.active.map(({ id, state }) => [id, state])).toEqual([[jobId, "JOB_STATE_RUNNING"]]);
  expect(google.jobs.jobs[0]?.request.labels).toMatchObject({ team: "counting", run: "1" });

  expect(JSON.parse(await viewmill("list", ...ON_DATAFLOW, "--json"))).toMatchObject([
    { jobId, name: "viewmill-stream", state: "JOB_STATE_RUNNING" },
  ]);
  const told = await viewmill("status", "viewmill-stream", ...ON_DATAFLOW);
  expect(told).toMatch(`job ${jobId} (viewmill-stream) is JOB_STATE_RUNNING`);

  const updated = await viewmill("update", ...ON_DATAFLOW, "--rename", "Old=New");
  const [old, now] = google.jobs.jobs;
  expect(updated).toBe(`job ${now?.id} (viewmill-stream) is running in the place of ${jobId}\n`);
  expect([old?.state, now?.request.transformNameMapping]).toEqual(["JOB_STATE_UPDATED", { Old: "New" }]);

  const drained = await viewmill("drain", "viewmill-stream", ...ON_DATAFLOW);
  expect(drained).toBe(`job ${now?.id} is JOB_STATE_DRAINED\n`);
});

test("a job is cancelled by its name, and its last errors are told by its status", async () => {
  google.jobs.failNext = ["the image cannot be pulled"];
  await expect(viewmill("stream", ...ON_DATAFLOW)).rejects.toThrow("the image cannot be pulled");
  expect(await viewmill("status", "viewmill-stream", ...ON_DATAFLOW)).toMatch(/FAILED.*\n.*the image cannot be pulled/);
  await viewmill("stream", ...ON_DATAFLOW);
  expect(await viewmill("cancel", "viewmill-stream", ...ON_DATAFLOW)).toMatch(/is JOB_STATE_CANCELLED\n$/);
});

test("everything that is missing is told in lines, with status 1, and nothing is created", async () => {
  google.world.images.clear();
  google.world.subscriptions.clear();
  const { GCE_METADATA_HOST } = metadataServerOf(google);
  const { status, err } = await viewmillProcess(["stream", ...ON_DATAFLOW], { GCE_METADATA_HOST });
  expect(status).toBe(1);
  expect(err.trimEnd().split("\n")).toEqual([
    "viewmill: nothing was created; 2 missing, each with the command that fixes it",
    expect.stringMatching(/^ {2}image .* does not exist: docker build .* && docker push /),
    expect.stringMatching(/^ {2}projects\/.* does not exist: gcloud pubsub subscriptions create viewmill-stream /),
  ]);
  expect([google.changes, google.jobs.jobs]).toEqual([[], []]);
}, 120_000);

test("no credentials anywhere: one line that says how to get them", async () => {
  google.world.hasCredentials = false;
  const { status, err } = await viewmillProcess(["stream", ...ON_DATAFLOW], { METADATA_SERVER_DETECTION: "none" });
  expect(status).toBe(1);
  expect(err).toMatch(/\n {2}no Google credentials: .*: gcloud auth application-default login\n$/);
  expect(google.requests).toEqual([]);
}, 120_000);

test("a wrong region is one clear line", async () => {
  const wrong = viewmill("stream", ...ON_DATAFLOW, "--region", "europe-nowhere1");
  await expect(wrong).rejects.toThrow(expect.objectContaining({ name: "PreflightError" }));
  await expect(wrong).rejects.toThrow(
    /; 1 missing.*\n {2}"europe-nowhere1" is no region .*: gcloud compute regions list/,
  );
});

test("a job that takes over sets its subscription back to before its first minute, before it is created", async () => {
  const kept = { retainAckedMessages: true, messageRetentionDuration: "604800s" };
  google.world.subscriptions.set(SUBSCRIPTION, { name: SUBSCRIPTION, topic: "t", ...kept });
  const minuteMs = Math.floor(Date.now() / 60_000 - 30) * 60_000;
  await viewmill("stream", ...ON_DATAFLOW, "--take-over-from", new Date(minuteMs).toISOString());
  const [seek, ...later] = google.changes;
  expect(seek?.path).toBe(`/v1/${SUBSCRIPTION}:seek`);
  const { time } = JSON.parse(seek!.body.toString()) as { time: string };
  expect(Math.abs(Date.parse(time) - (minuteMs - 600_000))).toBeLessThan(60_000);
  expect(later.map(({ path }) => path.split("/").at(-1))).toEqual(["o", "jobs"]);
  const { worker_boot_settings } = google.jobs.jobs[0]!.request.environment.sdkPipelineOptions.options;
  expect(String(worker_boot_settings)).toContain(String(minuteMs / 60_000));
});

test.each<[string[], RegExp]>([
  [["savepoint", "x", ...ON_DATAFLOW], /^only jobs of flink can do this .*pipeline update/],
  [["drain", "x"], /^only jobs of dataflow can do this .*savepoint --stop/],
  [["stream", ...ON_DATAFLOW, "--log", "kafka"], /^a job on Dataflow reads Pub\/Sub, not kafka/],
  [["stream", ...ON_DATAFLOW, "--from-savepoint", "x"], /^--from-savepoint: savepoints are Flink's/],
  [["cancel", "nothing", ...ON_DATAFLOW], /^no job nothing is running; running: none$/],
])("%j is one clear line", async (args, message) => {
  await expect(viewmill(...args)).rejects.toThrow(message);
});
