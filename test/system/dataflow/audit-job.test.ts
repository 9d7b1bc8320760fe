// SPDX-License-Identifier: Apache-2.0
import { configSchema } from "../../../cli/config/schema";
import { dataflowAuditRunner } from "../../../cli/deployment/dataflow/audit-job";
import type { AuditOptions } from "../../../transforms/audit-elements";
import { FakeGoogle, metadataServerOf } from "./fake-google";
import { goldenConfig } from "./golden-config";

const MINUTE = Math.floor(Date.UTC(2026, 10, 21, 10) / 60_000);
const UNITS = [{ minute: MINUTE, part: 0, of: 1, events: 1 }];
const OPTIONS: AuditOptions = {
  ...{ fromMinute: MINUTE, toMinute: MINUTE + 1, isAgain: false, allowedLatenessMs: 3_600_000 },
  ...{ finalBeforeMs: MINUTE * 60_000, patienceMs: 0, repair: false, seeds: [1, 2], idPartitions: 1, videoParts: 16 },
};
const nothing = async () => undefined;

let google: FakeGoogle;

// The credentials of this process.
beforeAll(async () => {
  google = await FakeGoogle.start();
  for (const [name, value] of Object.entries(metadataServerOf(google))) vi.stubEnv(name, value);
});
afterAll(async () => {
  expect(google.wrong).toEqual([]);
  vi.unstubAllEnvs();
  await google.stop();
});

const config = () => goldenConfig({ endpoint: google.endpoint });

test("an audit is a batch job of its own, which is waited for", async () => {
  const runner = await dataflowAuditRunner(config());
  const take = vi.fn(nothing);
  // The fake runs no workers that would write findings, so the audit finds none. A job of the fake advances with each
  // poll, so a job without a waiting caller is never done.
  void runner.run(UNITS, OPTIONS, take).catch(() => undefined);
  await vi.waitFor(() => expect(google.jobs.jobs[0]?.state).toBe("JOB_STATE_DONE"), { timeout: 60_000 });
  expect(take).not.toHaveBeenCalled();
  const [job] = google.jobs.jobs;
  expect([job?.request.type, job?.state]).toEqual(["JOB_TYPE_BATCH", "JOB_STATE_DONE"]);
  expect(job?.request.name).toMatch(/^viewmill-audit-[0-9a-f-]{36}$/);
});

test("an audit whose job fails says why, and tells no findings", async () => {
  const runner = await dataflowAuditRunner(config());
  const take = vi.fn(nothing);
  google.jobs.failNext = ["Workflow failed: the zone has no machines."];
  await expect(runner.run(UNITS, OPTIONS, take)).rejects.toThrow(/JOB_STATE_FAILED: .*the zone has no machines/);
  expect(take).not.toHaveBeenCalled();
});

test("an audit of nothing is no job", async () => {
  const runner = await dataflowAuditRunner(config());
  const changes = google.changes.length;
  const take = vi.fn(nothing);
  expect(await runner.run([], OPTIONS, take)).toEqual([]);
  expect(take).not.toHaveBeenCalled();
  expect(google.changes).toHaveLength(changes);
});

test("what an audit needs is looked at before: not the stream's subscription, but the tables", async () => {
  const { subscriptions, bigtable } = google.world;
  const [subscription] = [...subscriptions];
  const tables = [...bigtable];
  subscriptions.clear();
  await expect(dataflowAuditRunner(config())).resolves.toBeDefined();
  bigtable.clear();
  await expect(dataflowAuditRunner(config())).rejects.toThrow(expect.objectContaining({ name: "PreflightError" }));
  subscriptions.set(...subscription!);
  for (const name of tables) bigtable.add(name);
});

test("stores in a data folder are refused, each named, before anybody is asked", async () => {
  const { dataflow, project } = config();
  const asked = google.requests.length;
  await expect(dataflowAuditRunner(configSchema.parse({ project, dataflow }))).rejects.toThrow(
    "workers on Dataflow reach no data folder: set archive.kind gcs, counters.kind bigtable, deadLetters.kind gcs",
  );
  await expect(dataflowAuditRunner({ ...config(), dataflow: { ...dataflow, region: "", image: "" } })).rejects.toThrow(
    "a job on Dataflow needs dataflow.region or --region, dataflow.image or --image",
  );
  expect(google.requests).toHaveLength(asked);
});
