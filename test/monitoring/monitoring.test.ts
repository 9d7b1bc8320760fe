// SPDX-License-Identifier: Apache-2.0
/** The alerts: by promtool, against the metrics that the code has, and in a real Prometheus over a real service. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { debianProgram, freePort } from "../../servers";
import { describeWithPrograms, PROGRAMS_START_MS } from "../programs";
import { event, json } from "../system/end-to-end/events";
import { cleanUp, Service, temporaryFolder, until } from "../system/end-to-end/service";

const ROOT = join(__dirname, "..", "..", "..");
const FOLDER = join(ROOT, "monitoring");
const RULES = readFileSync(join(FOLDER, "viewmill.rules.yml"), "utf8");
const TEST_MS = 5 * 60_000;

/** Suffixes that a histogram's name gets in the exposition. */
const HISTOGRAM = /_(bucket|count|sum)$/;

describe("the rules and the dashboard", () => {
  const sources = ["admission", "ingest-api", "query-api", "cli"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => readFileSync(join(ROOT, folder, file), "utf8")),
  );
  const known = new Set(
    sources.flatMap((text) => text.match(/"viewmill_[a-z_]+"/g) ?? []).map((name) => name.slice(1, -1)),
  );

  test.each([["viewmill.rules.yml"], ["grafana-dashboard.json"]])("%s asks for metrics that there are", (file) => {
    const asked = readFileSync(join(FOLDER, file), "utf8").match(/\bviewmill_[a-z_]+\b/g) ?? [];
    expect(asked.length).toBeGreaterThan(10);
    expect(asked.filter((name) => !known.has(name) && !known.has(name.replace(HISTOGRAM, "")))).toEqual([]);
  });

  test("every alert says what is wrong and what to do, and has a test", () => {
    const alerts = [...RULES.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
    const tested = readFileSync(join(FOLDER, "viewmill.rules.test.yml"), "utf8");
    expect(alerts.length).toBeGreaterThan(10);
    expect(alerts.filter((name) => !tested.includes(name))).toEqual([]);
    expect(RULES.match(/summary:/g)).toHaveLength(alerts.length);
    expect(RULES.match(/description:/g)).toHaveLength(alerts.length);
  });
});

describeWithPrograms("Prometheus", ["promtool", "prometheus"], () => {
  beforeAll(() => debianProgram("prometheus"), PROGRAMS_START_MS);
  afterEach(cleanUp, TEST_MS);

  it.each([
    ["check", "viewmill.rules.yml"],
    ["test", "viewmill.rules.test.yml"],
  ])("promtool %s rules", async (verb, file) => {
    const { status, stdout, stderr } = spawnSync(await debianProgram("promtool"), [verb, "rules", file], {
      cwd: FOLDER,
      encoding: "utf8",
    });
    expect(`${stdout}${stderr}`).toContain("SUCCESS");
    expect(status).toBe(0);
  });

  it("promtool test rules of deploy/kubernetes, each alert of which has a test", async () => {
    const documents = parseAllDocuments(readFileSync(join(ROOT, "deploy", "kubernetes", "monitoring.yaml"), "utf8"));
    const rules = documents
      .map((document) => document.toJS() as { kind: string; spec: { groups: object[] } })
      .filter(({ kind }) => kind === "PrometheusRule");
    const groups = rules.flatMap(({ spec }) => spec.groups);
    const folder = temporaryFolder();
    // JSON is YAML.
    writeFileSync(join(folder, "kubernetes.rules.yml"), JSON.stringify({ groups }));
    const tests = readFileSync(join(FOLDER, "kubernetes.rules.test.yml"), "utf8");
    writeFileSync(join(folder, "kubernetes.rules.test.yml"), tests);
    const promtool = await debianProgram("promtool");
    const options = { cwd: folder, encoding: "utf8" } as const;
    const { status, stdout, stderr } = spawnSync(promtool, ["test", "rules", "kubernetes.rules.test.yml"], options);
    const succeeded = { status: 0, output: expect.stringContaining("SUCCESS") };
    expect({ status, output: `${stdout}${stderr}` }).toEqual(succeeded);
    const alerts = [...JSON.stringify(groups).matchAll(/"alert":"(\w+)"/g)].map(([, name]) => name!);
    expect(alerts).toHaveLength(6);
    expect(alerts.filter((name) => !tests.includes(`alertname="${name}"`))).toEqual([]);
  });

  it("a stream that stands still: the alert fires, and clears when it goes on", { timeout: TEST_MS }, async () => {
    const service = await Service.start();
    const prometheus = await startPrometheus(service.url);
    try {
      const firing = async () => {
        const { data } = await prometheus.get<{ data: { alerts: { labels: { alertname: string }; state: string }[] } }>(
          "/api/v1/alerts",
        );
        return data.alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels.alertname);
      };
      await until(
        "the service was scraped",
        async () => {
          const { data } = await prometheus.get<{ data: { result: unknown[] } }>(
            "/api/v1/query?query=viewmill_checkpoint_lag_seconds",
          );
          return data.result.length === 1;
        },
        TEST_MS,
      );
      expect(await firing()).toEqual([]);
      process.kill(await service.streamPid(), "SIGSTOP");
      await service.deliver(json(event()));
      await until("the alert fires", async () => (await firing()).includes("ViewmillCountsBehind"), TEST_MS);
      process.kill(await service.streamPid(), "SIGCONT");
      await until("the alert clears", async () => (await firing()).length === 0, TEST_MS);
      expect(await service.total("video-1")).toBe(1);
    } finally {
      await prometheus.stop();
    }
  });
});

/** Prometheus over the service and our rules, with everything that takes minutes made seconds. */
async function startPrometheus(target: string) {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "data"));
  const quick = RULES.replaceAll(/for: \d+m/g, "for: 1s").replace(
    "viewmill_checkpoint_lag_seconds > 60",
    "viewmill_checkpoint_lag_seconds > 5",
  );
  expect(quick).not.toBe(RULES);
  writeFileSync(join(folder, "rules.yml"), quick);
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: [join(folder, "rules.yml")],
    scrape_configs: [{ job_name: "viewmill", static_configs: [{ targets: [new URL(target).host] }] }],
  };
  // JSON is YAML.
  writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const child: ChildProcess = spawn(
    await debianProgram("prometheus"),
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=${address}`,
    ],
    { stdio: "ignore" },
  );
  const ended = once(child, "exit");
  return {
    async get<T>(path: string): Promise<T> {
      const response = await fetch(`http://${address}${path}`);
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      return (await response.json()) as T;
    },
    async stop(): Promise<void> {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
