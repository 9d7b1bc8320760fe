// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "../../../cli/config/schema";
import { bootSettings } from "../../../cli/deployment/dataflow/worker-settings";
import { BARE_ENVIRONMENT } from "../../bare-environment";
import { removeFolders, temporaryFolder } from "../../io/ports/condition";
import { type DescribedJob, expectFixtures, FIXTURE_NAMES, preparedJob, ROOT, readFixture } from "./fixture";
import { goldenConfig } from "./golden-config";
import { wrongFields } from "./message-types";

afterAll(removeFolders);

test.each(FIXTURE_NAMES)(
  "the submitted job of the %s is the committed one, and Google's types know every field",
  (name) => {
    const prepared = preparedJob(name);
    expectFixtures(name, prepared);
    expect(wrongFields("Job", prepared.request)).toEqual([]);
  },
);

test("the types refuse what is not theirs", () => {
  expect(wrongFields("Job", { name: 1, environment: { workerPools: [{ kind: "harness", num_workers: 1 }] } })).toEqual([
    "Job.name is no string: 1",
    "Job.environment.workerPools[0] has no field num_workers",
  ]);
  expect(wrongFields("Job", { type: "JOB_TYPE_LIVE", labels: { a: 1 } })).toEqual([
    'Job.type is no JobType: "JOB_TYPE_LIVE"',
    "Job.labels.a is no string: 1",
  ]);
});

test("the command prints the job of configuration and flags without asking anybody", () => {
  const file = join(temporaryFolder(), "viewmill.json");
  writeFileSync(file, JSON.stringify(goldenConfig({ endpoint: "http://127.0.0.1:1" })));
  const args = ["pipeline", "stream", "--runner", "dataflow", "--dry-run", "--json", "--config", file];
  const flags = ["--max-workers", "7", "--label", "team=other", "--region", "europe-north1"];
  const env = { ...BARE_ENVIRONMENT, GOOGLE_APPLICATION_CREDENTIALS: "/nowhere.json" };
  const program = join(ROOT, "dist", "cli", "main.js");
  const ended = spawnSync(process.execPath, [program, ...args, ...flags], { env, encoding: "utf8" });
  expect([ended.stderr, ended.status]).toEqual(["", 0]);
  const printed = JSON.parse(ended.stdout) as DescribedJob;
  expect(printed.url).toMatch(/locations\/europe-north1\/jobs$/);
  expect(printed.job).toMatchObject({
    labels: { team: "other" },
    environment: { workerPools: [{ autoscalingSettings: { maxNumWorkers: 7 } }] },
  });
  const { job } = readFixture("stream-job") as DescribedJob;
  expect(paths(printed.job, "")).toEqual(paths(job, ""));
});

test("workers are told a configuration, of the sections that name their stores alone", () => {
  const told = JSON.parse(bootSettings(goldenConfig()).workerSettings) as Record<string, unknown>;
  expect(configSchema.parse(told)).toMatchObject({ project: "golden-project", gcs: { bucket: "golden-data" } });
  expect(Object.keys(told).sort()).toEqual(
    [
      ...["archive", "claims", "counters", "data", "deadLetters", "gcs", "job", "lateness", "log", "logLevel"],
      ...["project", "retention", "tier"],
    ].sort(),
  );
});

test("workers look for roll-ups where the deployment has them", () => {
  const { tier, ...config } = goldenConfig();
  const { workerSettings } = bootSettings({ ...config, tier: { ...tier, prefix: "old-cells/" } });
  expect(configSchema.parse(JSON.parse(workerSettings)).tier.prefix).toBe("old-cells/");
});

test("every field of the submitted jobs is explained in docs/dataflow.md, and no other", () => {
  const doc = readFileSync(join(ROOT, "docs", "dataflow.md"), "utf8");
  const [, table = ""] = /<!-- fields -->([\s\S]*?)<!-- \/fields -->/.exec(doc) ?? [];
  const explained = [...table.matchAll(/^\| `([^`]+)` \| .{10,} \|$/gm)].map(([, name]) => name);
  const fields = FIXTURE_NAMES.flatMap((name) => paths((readFixture(`${name}-job`) as DescribedJob).job, ""));
  expect([...explained].sort()).toEqual([...new Set(fields)].sort());
});

/** Maps of any names, and the settings of workers. */
const WHOLE = /^(labels|transformNameMapping|.*\.worker_boot_settings)$/;

/** Names of fields, down to values. */
function paths(json: unknown, path: string): string[] {
  if (WHOLE.test(path) || typeof json !== "object" || json === null) return [path];
  const inner = Array.isArray(json)
    ? json.flatMap((each) => paths(each, path))
    : Object.entries(json).flatMap(([name, value]) => paths(value, path === "" ? name : `${path}.${name}`));
  return inner.length === 0 ? [path] : [...new Set(inner)];
}
