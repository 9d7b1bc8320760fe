// SPDX-License-Identifier: Apache-2.0
/** The settings, metrics, reports and APIs in Terraform are those of Viewmill. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { collectDefaultMetrics, Registry } from "prom-client";
import * as archive from "../../cli/commands/archive";
import * as audit from "../../cli/commands/audit";
import * as pipeline from "../../cli/commands/pipeline";
import * as serve from "../../cli/commands/serve";
import * as tier from "../../cli/commands/tier";
import { loadConfig } from "../../cli/config/load";
import { checkDataflow, checkStores } from "../../cli/deployment/dataflow/dataflow-flags";
import { usesDataFolder } from "../../cli/deployment/deployment";
import { BARE_ENVIRONMENT } from "../bare-environment";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { block, containersOf, environmentOf, type Plan, Workspace } from "./workspace";

const ROOT = join(__dirname, "..", "..", "..");
const MAIN = join(ROOT, "dist", "cli", "main.js");
const SERVICE = "google_cloud_run_v2_service";
const JOB = "google_cloud_run_v2_job";
const PROGRAMS: [type: string, index: string][] = [
  [SERVICE, "ingest"],
  [SERVICE, "query"],
  [SERVICE, "archiver"],
  [JOB, "audit-hourly"],
  [JOB, "audit-daily"],
  [JOB, "tier"],
  [JOB, "submit"],
];

const viewmill = (args: readonly string[], env: Readonly<Record<string, string>>) =>
  spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env: { ...BARE_ENVIRONMENT, ...env },
    timeout: 60_000,
  });

// Each test starts Terraform several times, beside other work.
vi.setConfig({ testTimeout: 120_000 });

describeWithServers("Terraform and Viewmill agree", ["terraform"], () => {
  let workspace: Workspace;
  let plan: Plan;

  beforeAll(async () => {
    workspace = await Workspace.open();
    plan = await workspace.plan("environments/prod", { project: "my-project", image_tag: "1a2b3c" });
  }, COLD_START_MS);
  afterAll(() => workspace?.close());

  test.each(PROGRAMS)(
    "%s %s: every setting is one of Viewmill's, and nothing is kept in the container",
    (type, index) => {
      const config = loadConfig({}, environmentOf(plan, type, index));
      expect(usesDataFolder(config)).toBe(false);
      const name = (address: string) => plan.one(address).name;
      expect(config).toMatchObject({
        project: "my-project",
        log: {
          kind: "pubsub",
          topic: name('google_pubsub_topic.this["events"]'),
          deadLetterTopic: name('google_pubsub_topic.this["dead_letters"]'),
          pubsub: {
            streamSubscription: name("google_pubsub_subscription.stream"),
            archiveSubscription: name("google_pubsub_subscription.archive"),
          },
        },
        gcs: { bucket: name("google_storage_bucket.data") },
        counters: {
          kind: "bigtable",
          instance: name("google_bigtable_instance.this"),
          appProfile: index === "query" ? "readers" : "writers",
        },
      });
      const folders = plan.of("google_storage_managed_folder").map(({ values }) => values.name);
      for (const { prefix } of [config.archive, config.claims, config.deadLetters, config.tier])
        expect(folders).toContain(prefix);
      if (type === SERVICE) expect(config.http).toMatchObject({ host: "0.0.0.0", port: 8080 });
    },
  );

  test("the commands of services and jobs are Viewmill's", () => {
    const of = ([type, index]: [string, string]) => {
      const { values } = plan.of(type).find((resource) => resource.index === index)!;
      return (type === JOB ? containersOf(values)[0]! : block(block(values, "template")!, "containers")!)
        .args as string[];
    };
    const cli = new Command("viewmill");
    for (const { register } of [serve, archive, audit, pipeline, tier]) register(cli);
    for (const program of PROGRAMS) {
      let command: Command = cli;
      const unknown: string[] = [];
      for (const arg of of(program)) {
        const below = command.commands.find((each) => each.name() === arg);
        if (below !== undefined) command = below;
        else if (arg.startsWith("--") && !command.options.some(({ long }) => long === arg)) unknown.push(arg);
      }
      expect({ program, unknown, isCommand: command !== cli && command.commands.length === 0 }).toEqual({
        program,
        unknown: [],
        isCommand: true,
      });
    }
  });

  test("the job that submits has all that a job on Dataflow needs, and describes the very job", () => {
    const env = environmentOf(plan, JOB, "submit");
    const config = loadConfig({}, env);
    checkDataflow(config);
    checkStores(config);
    const { args } = containersOf(plan.one(`${JOB}.this["submit"]`))[0]!;
    const { status, stdout, stderr } = viewmill([...(args as string[]), "--dry-run", "--json"], env);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const part of [
      "europe-west1-docker.pkg.dev/my-project/viewmill/worker:1a2b3c",
      "viewmill-worker@my-project.iam.gserviceaccount.com",
      "my-project-viewmill-staging/dataflow",
      "n2-standard-4",
    ])
      expect(stdout).toContain(part);
  });

  test("the settings that are printed for a shell are those of the job", () => {
    const printed = Object.fromEntries(
      String(plan.outputs.settings)
        .split("\n")
        .map((line) => /^export (\w+)='([^']*)'$/.exec(line)!.slice(1) as [string, string]),
    );
    expect(printed).toEqual(environmentOf(plan, JOB, "submit"));
  });

  test("every metric that alerts and charts ask for is exported", () => {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const exported = new Set(registry.getMetricsAsArray().map(({ name }) => name));
    for (const file of sources(["cli", "admission", "ingest-api", "query-api"])) {
      for (const [, name] of readFileSync(file, "utf8").matchAll(/"(viewmill_\w+)"/g)) exported.add(name!);
    }
    const asked = [...plan.of("google_monitoring_alert_policy"), ...plan.of("google_monitoring_dashboard")]
      .flatMap(({ values }) => [...JSON.stringify(values).matchAll(/\b((?:viewmill|nodejs)_\w+)/g)])
      .map(([, name]) => name!.replace(/_(bucket|count|sum)$/, ""));
    expect(asked.length).toBeGreaterThan(20);
    expect([...new Set(asked)].filter((name) => !exported.has(name))).toEqual([]);
  });

  test("an audit that finds differences is seen in what it prints", () => {
    const folder = mkdtempSync(join(tmpdir(), "viewmill-audit-"));
    try {
      const { stdout } = viewmill(["audit", "--data", folder], {});
      const filter = String(plan.one("google_logging_metric.audit_differences").filter);
      const [, pattern] = /textPayload =~ "([^"]+)"/.exec(filter)!;
      // Cloud Logging makes an entry of each line.
      const seen = (text: string) => text.split("\n").filter((line) => new RegExp(pattern!).test(line)).length;
      expect(stdout).toMatch(/^cells differing +0$/m);
      expect(seen(stdout)).toBe(0);
      expect(seen(stdout.replace(/^(cells differing +)0$/m, "$117"))).toBe(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("every API that a job is refused without is enabled", () => {
    const source = readFileSync(join(ROOT, "cli", "deployment", "dataflow", "preflight.ts"), "utf8");
    const wanted = [...source.matchAll(/"([a-z]+\.googleapis\.com)"/g)].map(([, api]) => api!);
    expect(wanted.length).toBeGreaterThan(8);
    const enabled = new Set(plan.of("google_project_service").map(({ values }) => values.service));
    expect(wanted.filter((api) => !enabled.has(api))).toEqual([]);
  });
});

function sources(folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(ROOT, folder, name)),
  );
}
