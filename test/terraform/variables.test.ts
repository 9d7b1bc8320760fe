// SPDX-License-Identifier: Apache-2.0
/** Every rule about a variable refuses what breaks it, and is silent about what keeps it. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { SOURCE, Workspace } from "./workspace";

type Values = Readonly<Record<string, unknown>>;

const BASE: Record<string, Values> = {
  viewmill: { project: "my-project", region: "europe-west1" },
  counters: { name: "viewmill", zone: "europe-west1-b", nodes: { min: 1, max: 3 }, members: {} },
  storage: {
    name: "x",
    location: "x",
    members: {},
    retention: { raw_days: 1, archive_days: 2, claims_days: 1, findings_days: 1 },
  },
  services: {
    name: "x",
    region: "x",
    image: "x",
    services: {},
    invokers: [],
    collector_image: "",
    secrets: { operator: "a", collector: "b" },
  },
  "event-log": { name: "x", project_number: "1", members: {}, regions: [], topic_days: 7, undeliverable_days: 7 },
  monitoring: {
    name: "x",
    project: "x",
    job_name: "x",
    service_prefix: "x",
    audit_jobs: [],
    tier_job: "viewmill-tier",
    bigtable_instance: "x",
    subscriptions: { stream: "a", archive: "b", undeliverable: "c", dead_letters: "d" },
    scraped: true,
    max_in_flight_bytes: 1,
    emails: [],
    thresholds: {},
  },
};

const WRONG: Record<string, Values[]> = {
  viewmill: [
    { project: "My_Project" },
    { region: "europe" },
    { zone: "europe-west1-b" },
    { name: "v" },
    { name: "viewmill-in-production" },
    { image_tag: "latest" },
    { image_tag: "a b" },
    { retention: { raw_days: 1, final_after_minutes: 721, topic_days: 2 } },
    { retention: { raw_days: 30, archive_days: 45, dead_letter_days: 30 } },
    { retention: { dead_letter_days: 29 } },
    { retention: { topic_days: 0 } },
    { retention: { topic_days: 32, claims_days: 90 } },
    { retention: { topic_days: 1, final_after_minutes: 1440 } },
    { retention: { undeliverable_days: 8, claims_days: 90 } },
    { retention: { claims_days: 14 } },
    { retention: { dead_letter_days: 366 } },
    { retention: { findings_days: 0 } },
    { bigtable: { replica_zone: "europe-west1-c" } },
    { bigtable: { failed_over: true } },
    { ingest: { min_instances: 11 } },
    { ingest: { concurrency: 2000 } },
    { query: { min_instances: 0, max_instances: 0 } },
    { query: { concurrency: 0 } },
    { audit: { hourly_schedule: "hourly" } },
    { audit: { hourly_timeout_seconds: 7200 } },
    { tier: { schedule: "daily" } },
    { tier: { timeout_seconds: 86_400 } },
    { job: { name: "Viewmill" } },
    { job: { min_workers: 5 } },
    { job: { public_ips: false } },
    { invokers: ["allUsers"] },
    { invokers: ["allAuthenticatedUsers"] },
    { producers: ["allUsers"] },
    { alert_emails: ["nobody"] },
    { log_level: "verbose" },
  ],
  counters: [
    { nodes: { min: 0, max: 3 } },
    { nodes: { min: 4, max: 3 } },
    { nodes: { min: 1, max: 3, cpu_target: 95 } },
    { nodes: { min: 1, max: 3, storage_type: "TAPE" } },
  ],
  storage: [{ cold_class: "STANDARD" }],
  services: [{ ingress: "ALL" }],
  "event-log": [{ max_delivery_attempts: 4 }, { max_delivery_attempts: 101 }, { schema: "events" }],
  monitoring: [{ thresholds: { failed_share: 1 } }, { thresholds: { audit_silent_minutes: 60 } }],
};

/** The texts of the rules of a module, as Terraform prints them. */
function rules(module: string): string[] {
  const text = readFileSync(join(SOURCE, "modules", module, "variables.tf"), "utf8");
  const messages = [...text.matchAll(/error_message = "((?:[^"\\]|\\.)*)"/g)].map(([, message]) =>
    message!.replaceAll('\\"', '"'),
  );
  return [...new Set(messages)];
}

// Each test starts Terraform several times, beside other work.
vi.setConfig({ testTimeout: 120_000 });

describeWithServers("variables of the Terraform modules", ["terraform"], () => {
  let workspace: Workspace;
  let folder: string;

  beforeAll(async () => {
    workspace = await Workspace.open();
    // The variables alone: what they refuse needs neither provider nor resources.
    folder = join(workspace.folder, "variables");
    for (const module of Object.keys(BASE)) {
      mkdirSync(join(folder, module), { recursive: true });
      copyFileSync(join(SOURCE, "modules", module, "variables.tf"), join(folder, module, "variables.tf"));
      writeFileSync(join(folder, module, "nothing.tf"), 'output "nothing" {\n  value = 1\n}\n');
    }
  }, COLD_START_MS);
  afterAll(() => workspace?.close());

  /** Returns Terraform's errors for these values, on one line. */
  async function said(module: string, values: Values): Promise<string> {
    const cwd = join(folder, module);
    writeFileSync(join(cwd, "given.auto.tfvars.json"), JSON.stringify({ ...BASE[module], ...values }));
    const { status, stderr } = await workspace.terraform.run(cwd, "plan", "-no-color", "-input=false", "-lock=false");
    return status === 0 ? "" : stderr.replace(/[│╷╵]/g, "").replace(/\s+/g, " ");
  }

  test("every module with rules is looked at", () => {
    const withRules = readdirSync(join(SOURCE, "modules")).filter((module) => {
      const text = readdirSync(join(SOURCE, "modules", module)).includes("variables.tf") && rules(module).length > 0;
      return text;
    });
    expect(Object.keys(WRONG).sort()).toEqual(withRules.sort());
  });

  test.each(Object.keys(BASE))(
    "%s: what is right is taken, and each rule refuses what breaks it",
    async (module) => {
      expect(await said(module, {})).toBe("");
      const broken = new Set<string>();
      for (const values of WRONG[module]!) {
        const text = await said(module, values);
        const which = rules(module).filter((rule) => text.includes(rule.replace(/\s+/g, " ")));
        expect({ values, refusedBy: which.length }).toEqual({ values, refusedBy: 1 });
        broken.add(which[0]!);
      }
      expect(rules(module).filter((rule) => !broken.has(rule))).toEqual([]);
    },
    COLD_START_MS,
  );
});
