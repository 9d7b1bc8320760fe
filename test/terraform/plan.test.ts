// SPDX-License-Identifier: Apache-2.0
/** The plan of Terraform: the rules that must hold whatever else changes. */

import { SPLIT_KEYS } from "../../io/bigtable/row-keys";
import { FAMILIES } from "../../io/bigtable/tables";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { block, containersOf, environmentOf, type Plan, type Values, Workspace } from "./workspace";

const GIVEN = { project: "my-project", alert_emails: ["ops@example.com"], invokers: ["group:apps@example.com"] };
const DAY_SECONDS = 86_400;

const seconds = (text: unknown): number => Number(/^(\d+)s$/.exec(String(text))?.[1]);

// Each test starts Terraform several times, beside other work.
vi.setConfig({ testTimeout: 120_000 });

describeWithServers("what Terraform would make", ["terraform"], () => {
  let workspace: Workspace;
  const plans: Record<string, Plan> = {};

  beforeAll(async () => {
    workspace = await Workspace.open();
    plans.prod = await workspace.plan("environments/prod", { ...GIVEN, image_tag: "1a2b3c" });
    plans.dev = await workspace.plan("environments/dev", { ...GIVEN, image_tag: "1a2b3c" });
    plans.first = await workspace.plan("environments/prod", GIVEN);
  }, COLD_START_MS);
  afterAll(() => workspace?.close());

  test("at first everything is made that runs no image, and the next commands build them", () => {
    const running = /^google_cloud_(run|scheduler)/;
    expect(plans.first!.resources.filter(({ type }) => running.test(type))).toEqual([]);
    expect(plans.first!.of("google_bigtable_table")).toHaveLength(3);
    expect(plans.first!.outputs.next).toMatch(/docker build .*--target \$part[\s\S]*terraform apply -var image_tag=/);
    expect(plans.prod!.outputs.next).toMatch(/^gcloud run jobs execute viewmill-submit /m);
    expect(plans.prod!.of("google_cloud_run_v2_service")).toHaveLength(3);
  });

  describe.each(["prod", "dev"])("%s", (environment) => {
    const plan = () => plans[environment]!;
    const bindings = () => plan().resources.filter(({ type }) => /_iam_(member|binding|policy)$/.test(type));

    test("no bucket is public", () => {
      const buckets = plan().of("google_storage_bucket");
      expect(buckets).toHaveLength(2);
      for (const { values } of buckets) {
        expect(values).toMatchObject({ public_access_prevention: "enforced", uniform_bucket_level_access: true });
      }
    });

    test("nobody is owner, editor or viewer, nobody is everybody, and roles are added one by one", () => {
      expect(bindings().length).toBeGreaterThan(40);
      for (const { type, values } of bindings()) {
        expect(values.role).not.toMatch(/^roles\/(owner|editor|viewer)$/);
        expect(values.member).not.toMatch(/^all(Authenticated)?Users$/);
        // A binding or a policy would take away what others have granted.
        expect(type).toMatch(/_iam_member$/);
      }
    });

    test("on the project is granted only what knows nothing smaller", () => {
      const short = (member: unknown) => /-(\w+)@/.exec(String(member))?.[1];
      const granted = plan().of("google_project_iam_member");
      expect(granted.map(({ values }) => `${short(values.member)} ${values.role}`).sort()).toEqual([
        "archiver roles/monitoring.metricWriter",
        "deployer roles/dataflow.developer",
        "deployer roles/serviceusage.serviceUsageViewer",
        "ingest roles/monitoring.metricWriter",
        "query roles/monitoring.metricWriter",
        "worker roles/dataflow.worker",
      ]);
    });

    test("every account is used, and has no key", () => {
      const text = JSON.stringify(plan().resources.filter(({ type }) => type !== "google_service_account"));
      const accounts = plan().of("google_service_account");
      expect(accounts).toHaveLength(8);
      for (const { values } of accounts) expect(text).toContain(String(values.email));
      expect(plan().of("google_service_account_key")).toEqual([]);
    });

    test("only archiver, tiering and deployer write below archive/, only workers, audits and tiering write counters", () => {
      const may = (type: string, resource: (values: Values) => unknown, role: RegExp) =>
        plan()
          .of(type)
          .filter(({ values }) => role.test(String(values.role)))
          .map(({ values }) => `${/-(\w+)@/.exec(String(values.member))?.[1]} ${resource(values)}`)
          .sort();
      const folder = (values: Values) => values.managed_folder;
      expect(may("google_storage_managed_folder_iam_member", folder, /objectUser$/)).toEqual([
        "archiver archive/",
        "audit audits/",
        "ingest claims/",
        "ingest dead-letters/",
        "tier archive/",
        "tier dead-letters/",
        "tier rollups/",
        "worker audits/",
        "worker dead-letters/",
      ]);
      expect(may("google_storage_bucket_iam_member", ({ bucket }) => String(bucket).split("-").pop(), /./)).toEqual([
        "deployer data",
        "deployer staging",
        "worker staging",
      ]);
      const table = (values: Values) => String(values.table).split("-").pop();
      expect(may("google_bigtable_table_iam_member", table, /user$/)).toEqual([
        "archiver ledger",
        "audit ledger",
        "audit minutes",
        "audit summaries",
        "ingest ledger",
        "query ledger",
        "tier ledger",
        "tier minutes",
        "tier summaries",
        "worker ledger",
        "worker minutes",
        "worker summaries",
      ]);
    });

    test("both readers of the log have exactly the settings they need", () => {
      for (const name of ["stream", "archive"]) {
        const values = plan().one(`google_pubsub_subscription.${name}`);
        expect(values).toMatchObject({
          ack_deadline_seconds: 60,
          enable_exactly_once_delivery: false,
          enable_message_ordering: false,
          expiration_policy: [{ ttl: "" }],
          filter: null,
          push_config: [],
        });
      }
    });

    test("the archiver's undeliverable messages are held, and Pub/Sub may forward them; Dataflow's subscription forwards none", () => {
      const [policy] = plan().one("google_pubsub_subscription.archive").dead_letter_policy as Values[];
      expect(policy).toMatchObject({ max_delivery_attempts: 100 });
      const held = plan().one('google_pubsub_subscription.holding["undeliverable"]');
      expect(held.topic).toBe(policy!.dead_letter_topic);
      expect(held.expiration_policy).toEqual([{ ttl: "" }]);
      const agent = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com";
      expect(plan().one("google_pubsub_topic_iam_member.pubsub_forwards")).toMatchObject({
        role: "roles/pubsub.publisher",
        member: agent,
      });
      expect(plan().one("google_pubsub_subscription_iam_member.pubsub_takes")).toMatchObject({
        role: "roles/pubsub.subscriber",
        member: agent,
      });
      expect(plan().one("google_pubsub_subscription.stream").dead_letter_policy).toEqual([]);
    });

    test("what is kept is kept in the right order", () => {
      const days = (prefix: string, type: string) => {
        const rules = plan().one("google_storage_bucket.data").lifecycle_rule as Values[];
        const found = rules.filter(
          (rule) =>
            block(rule, "action")?.type === type &&
            (block(rule, "condition")!.matches_prefix as string[]).includes(prefix),
        );
        expect(found).toHaveLength(1);
        return Number(block(found[0]!, "condition")!.age);
      };
      const settings = environmentOf(plan(), "google_cloud_run_v2_service", "ingest");
      const rawDays = Number(settings.VIEWMILL_RETENTION_RAW_DAYS);
      const finalMinutes = Number(settings.VIEWMILL_LATENESS_FINAL_AFTER_MINUTES);
      const topicSeconds = seconds(plan().one('google_pubsub_topic.this["events"]').message_retention_duration);
      const heldSeconds = seconds(
        plan().one('google_pubsub_subscription.holding["undeliverable"]').message_retention_duration,
      );
      // Tiering deletes two days after rawDays, and a day more for each day that an event may be late.
      const tieredDays = rawDays + 1 + Math.ceil(finalMinutes / 1440);
      expect(days("archive/", "SetStorageClass")).toBeGreaterThan(tieredDays);
      expect(days("archive/", "Delete")).toBeGreaterThan(tieredDays + 13);
      expect(rawDays * 1440).toBeGreaterThanOrEqual(2 * finalMinutes);
      expect(days("claims/", "Delete") * DAY_SECONDS).toBeGreaterThan(topicSeconds + heldSeconds);
      const letterDays = Number(settings.VIEWMILL_RETENTION_DEAD_LETTER_DAYS);
      expect(days("dead-letters/", "Delete")).toBeGreaterThanOrEqual(letterDays);
      expect(() => days("rollups/", "Delete")).toThrow();
      // A job that takes over reads from ten minutes before its first minute, which is at most as old as events may be
      // late.
      expect(topicSeconds).toBeGreaterThan(finalMinutes * 60 + 600);
      for (const name of ["stream", "archive"]) {
        const kept = seconds(plan().one(`google_pubsub_subscription.${name}`).message_retention_duration);
        expect(kept).toBe(Math.min(topicSeconds, 7 * DAY_SECONDS));
      }
      expect(plan().one("google_storage_bucket.staging").lifecycle_rule).toEqual([]);
    });

    test("the tables are those that Viewmill makes: families, what is kept of them, aggregates, splits", () => {
      for (const [role, families] of Object.entries(FAMILIES)) {
        const table = plan().one(`google_bigtable_table.this["${role}"]`);
        expect(String(table.name).endsWith(`-${role}`)).toBe(true);
        expect(table.split_keys ?? []).toEqual(role === "ledger" ? [] : SPLIT_KEYS);
        const made = Object.fromEntries(
          (table.column_family as Values[]).map(({ family, type }) => [
            String(family),
            {
              ...collected(plan(), role, String(family)),
              ...(type === "" || type === null ? {} : { valueType: JSON.parse(String(type)) }),
            },
          ]),
        );
        expect(made).toEqual(families);
      }
    });

    test("writers and readers are routed to one cluster, and only writers check and mutate", () => {
      const clusters = plan().one("google_bigtable_instance.this").cluster as Values[];
      for (const [profile, transactional] of [
        ["writers", true],
        ["readers", false],
      ] as const) {
        expect(plan().one(`google_bigtable_app_profile.${profile}`)).toMatchObject({
          single_cluster_routing: [{ cluster_id: clusters[0]!.cluster_id, allow_transactional_writes: transactional }],
          multi_cluster_routing_use_any: null,
        });
      }
    });

    test("services start when they are ready and restart when they are dead; the archiver is one", () => {
      const services = plan().of("google_cloud_run_v2_service");
      for (const { index, values } of services) {
        const template = block(values, "template")!;
        const main = block(template, "containers")!;
        const path = (probe: string) => block(block(main, probe)!, "http_get")!.path;
        expect(path("startup_probe")).toBe(index === "archiver" ? "/healthz" : "/readyz");
        expect(path("liveness_probe")).toBe("/healthz");
        expect(main.image).toBe(
          `europe-west1-docker.pkg.dev/my-project/${environment === "dev" ? "viewmill-dev" : "viewmill"}/service:1a2b3c`,
        );
        expect(block(main, "resources")!.cpu_idle).toBe(false);
        if (index === "archiver") {
          expect(values.ingress).toBe("INGRESS_TRAFFIC_INTERNAL_ONLY");
          expect(template.scaling).toMatchObject([{ min_instance_count: 1, max_instance_count: 1 }]);
        }
      }
      const invoked = plan().of("google_cloud_run_v2_service_iam_member");
      expect(invoked.map(({ index, values }) => [index, values.member])).toEqual([
        ["ingest/group:apps@example.com", "group:apps@example.com"],
        ["query/group:apps@example.com", "group:apps@example.com"],
      ]);
    });

    test("the operator's key is a file of Secret Manager, and its value passes through no plan", () => {
      const named = (type: string) => plan().of(`google_secret_manager_secret${type}`);
      const operator = named("").find(({ values }) => String(values.secret_id).endsWith("-operator-key"))!;
      expect(operator).toBeDefined();
      expect(named("_version")).toHaveLength(1);
      expect(String(named("_version")[0]!.values.secret_data)).toContain("RunMonitoring");
      for (const service of ["ingest", "query"]) {
        const file = environmentOf(plan(), "google_cloud_run_v2_service", service).VIEWMILL_KEYS_OPERATOR_KEY_FILE;
        expect(file).toBe("/secrets/operator/key");
        const { values } = plan()
          .of("google_cloud_run_v2_service")
          .find(({ index }) => index === service)!;
        const template = block(values, "template")!;
        expect(block(template, "containers")!.volume_mounts).toContainEqual(
          expect.objectContaining({ name: "operator", mount_path: "/secrets/operator" }),
        );
        const volumes = template.volumes as Values[];
        expect(block(volumes.find(({ name }) => name === "operator")!, "secret")).toMatchObject({
          secret: operator.values.secret_id,
          items: [{ path: "key", version: "latest" }],
        });
      }
      for (const { values } of named("_iam_member")) expect(values.role).toBe("roles/secretmanager.secretAccessor");
    });

    test("audits run every hour and every day, tiering once a day, started by an account that may do nothing else", () => {
      const scheduled = plan().of("google_cloud_scheduler_job");
      expect(scheduled.map(({ index }) => index).sort()).toEqual(["audit-daily", "audit-hourly", "tier"]);
      for (const { index, values } of scheduled) {
        const job = plan().one(`google_cloud_run_v2_job.this["${index}"]`);
        const target = block(values, "http_target")!;
        expect(target.uri).toBe(
          `https://run.googleapis.com/v2/projects/my-project/locations/europe-west1/jobs/${job.name}:run`,
        );
        const audit = ["audit", `--${String(index).replace("audit-", "")}`, "--repair"];
        expect(containersOf(job)[0]!.args).toEqual(index === "tier" ? ["tier"] : audit);
        expect(String(block(target, "oauth_token")!.service_account_email)).toContain("-scheduler@");
      }
      const scheduler = bindings().filter(({ values }) => String(values.member).includes("-scheduler@"));
      expect(scheduler.map(({ type, values }) => `${type} ${values.role}`)).toEqual(
        Array(3).fill("google_cloud_run_v2_job_iam_member roles/run.invoker"),
      );
    });
  });

  test("prod has a second cluster in another zone, for reads that may be behind; dev has one cluster", () => {
    const clusters = plans.prod!.one("google_bigtable_instance.this").cluster as Values[];
    expect(clusters.map(({ zone }) => zone)).toEqual(["europe-west1-b", "europe-west1-c"]);
    expect(plans.prod!.one("google_bigtable_app_profile.replica[0]")).toMatchObject({
      single_cluster_routing: [{ cluster_id: clusters[1]!.cluster_id, allow_transactional_writes: false }],
      standard_isolation: [{ priority: "PRIORITY_LOW" }],
    });
    expect(plans.dev!.one("google_bigtable_instance.this").cluster).toHaveLength(1);
    expect(plans.dev!.of("google_bigtable_app_profile").map(({ values }) => values.app_profile_id)).toEqual(
      expect.not.arrayContaining(["replica"]),
    );
  });

  test("what holds data in prod refuses to be deleted, and in dev does not", () => {
    for (const [environment, kept] of [
      ["prod", true],
      ["dev", false],
    ] as const) {
      const plan = plans[environment]!;
      expect(plan.one("google_bigtable_instance.this").deletion_protection).toBe(kept);
      for (const { values } of plan.of("google_bigtable_table"))
        expect(values.deletion_protection).toBe(kept ? "PROTECTED" : "UNPROTECTED");
      expect(plan.one("google_storage_bucket.data").force_destroy).toBe(!kept);
      for (const { values } of plan.of("google_storage_managed_folder")) expect(values.force_destroy).toBe(!kept);
      for (const { values } of plan.of("google_cloud_run_v2_service")) expect(values.deletion_protection).toBe(kept);
    }
  });

  test("alerts cover the golden signals, backlog, counting, audits, tiering and dead letters, and somebody hears of them", () => {
    const { of } = plans.prod!;
    const channels = of("google_monitoring_notification_channel").map(({ values }) => values.labels);
    expect(channels).toEqual([{ email_address: "ops@example.com" }]);
    const signals = of("google_monitoring_alert_policy").map(
      ({ values }) => (values.user_labels as { signal: string }).signal,
    );
    expect([...new Set(signals)].sort()).toEqual([
      "audit",
      "backlog",
      "counting",
      "dead-letters",
      "errors",
      "latency",
      "saturation",
      "tiering",
      "traffic",
    ]);
    // Before there are services, silence is no alarm.
    expect(JSON.stringify(plans.first!.of("google_monitoring_alert_policy"))).not.toMatch(/viewmill_ingest/);
  });

  test("anybody may call the APIs only where it is said in so many words", async () => {
    const plan = await workspace.plan("modules/viewmill", {
      project: "my-project",
      region: "europe-west1",
      image_tag: "x1",
      public: true,
    });
    const open = plan.resources.filter(({ values }) => values.member === "allUsers");
    expect(open.map(({ type, index }) => `${type} ${index}`).sort()).toEqual([
      "google_cloud_run_v2_service_iam_member ingest/allUsers",
      "google_cloud_run_v2_service_iam_member query/allUsers",
    ]);
  });
});

/** A rule of collection as Bigtable's admin API has it. */
function collected(plan: Plan, table: string, family: string): { gcRule?: object } {
  const policy = plan.of("google_bigtable_gc_policy").find(({ index }) => index === `${table}/${family}`)?.values;
  if (policy === undefined) return {};
  const versions = { maxNumVersions: Number(block(policy, "max_version")!.number) };
  const age = block(policy, "max_age");
  if (age === undefined) return { gcRule: versions };
  expect(policy.mode).toBe("UNION");
  const hours = Number(/^(\d+)h$/.exec(String(age.duration))![1]);
  return { gcRule: { union: { rules: [versions, { maxAge: { seconds: hours * 3_600 } }] } } };
}
