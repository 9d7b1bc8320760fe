// SPDX-License-Identifier: Apache-2.0
/**
 * deploy/kubernetes: by the published schemas, by checkov, by Viewmill's own configuration and commands, and by the
 * rules of restricted pods.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { parse, parseAllDocuments } from "yaml";
import { register as archive } from "../../cli/commands/archive";
import { register as audit } from "../../cli/commands/audit";
import { register as canary } from "../../cli/commands/canary";
import { register as pipeline } from "../../cli/commands/pipeline";
import { register as serve } from "../../cli/commands/serve";
import { register as tier } from "../../cli/commands/tier";
import { register as workerPool } from "../../cli/commands/worker-pool";
import { loadConfig } from "../../cli/config/load";
import { checkovFindings, flinkOperatorProblems, kubernetesProblems, kustomized } from "../../servers";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";

const FOLDER = join(__dirname, "..", "..", "..", "deploy", "kubernetes");
const VERSION = "1.34";
/** The kinds of operators, whose schemas are not Kubernetes' own. */
const OF_OPERATORS = /^(?:flink\.apache\.org|monitoring\.coreos\.com)\//;

interface Container {
  name: string;
  image?: string;
  args?: string[];
  ports?: { name: string; containerPort: number }[];
  securityContext?: Record<string, unknown>;
  resources?: { limits?: object; requests?: object };
  volumeMounts?: { name: string }[];
}
interface Resource {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  [field: string]: unknown;
}

const kustomization = parse(readFileSync(join(FOLDER, "kustomization.yaml"), "utf8")) as {
  resources: string[];
  images: { name: string }[];
};
const resources: Resource[] = kustomization.resources.flatMap((file) =>
  parseAllDocuments(readFileSync(join(FOLDER, file), "utf8")).map((document) => document.toJS() as Resource),
);
const containers = containersIn(resources);

/** Every container, wherever a resource has its pods. */
function containersIn(value: unknown): Container[] {
  if (Array.isArray(value)) return value.flatMap(containersIn);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "containers" ? (inner as Container[]) : containersIn(inner),
  );
}

it("the kustomization names every file, and every image that is ours", () => {
  const files = readdirSync(FOLDER).filter(
    (name) => !["kustomization.yaml", "name-references.yaml", "viewmill.yaml"].includes(name),
  );
  expect(kustomization.resources.toSorted()).toEqual(files.sort());
  const used = new Set(containers.map(({ image }) => image).filter((image) => image?.startsWith("viewmill-")));
  expect(new Set(kustomization.images.map(({ name }) => name))).toEqual(used);
});

it("the configuration is one of Viewmill's, listens where the pods say, and asks for keys", () => {
  const config = loadConfig({ config: join(FOLDER, "viewmill.yaml") }, {});
  expect(config.http).toMatchObject({ host: "0.0.0.0", port: 8080, insecure: false });
  expect(config.http.operations).toMatchObject({ enabled: true, port: 8081 });
  expect(config.keys.operatorKeyFile).toBe("/secrets/operator/key");
  for (const { ports = [] } of containers)
    for (const { name, containerPort } of ports) {
      if (name === "http") expect(containerPort).toBe(config.http.port);
      if (name === "operations") expect(containerPort).toBe(config.http.operations.port);
    }
  const grace = resources.filter(({ kind }) => kind === "Deployment").map((each) => JSON.stringify(each));
  for (const text of grace) {
    const seconds = Number(/"terminationGracePeriodSeconds":(\d+)/.exec(text)?.[1] ?? 60);
    expect(seconds).toBeGreaterThan(config.http.drainSeconds + 20);
  }
});

it("every command is Viewmill's, with options that it has", () => {
  const program = new Command("viewmill");
  for (const register of [serve, archive, audit, canary, pipeline, tier, workerPool]) register(program);
  const ours = containers.filter(({ image }) => image === "viewmill-service");
  expect(ours.length).toBeGreaterThan(6);
  for (const { args = [] } of ours) {
    let command: Command = program;
    for (const arg of args) {
      const below = command.commands.find((each) => each.name() === arg);
      if (below !== undefined) command = below;
      else if (arg.startsWith("--")) expect(command.options.map(({ long }) => long)).toContain(arg);
    }
    expect(command).not.toBe(program);
  }
});

it("every container is restricted, bounded, and writes to /tmp alone", () => {
  for (const { name, securityContext, resources: bounds } of containers.filter(({ args }) => args !== undefined)) {
    expect({ name, securityContext }).toMatchObject({
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ["ALL"] },
      },
    });
    expect(bounds?.limits).toEqual(bounds?.requests);
  }
});

it("what serves survives a node that goes: budgets, at least two, and selectors that find their pods", () => {
  for (const name of ["viewmill-ingest", "viewmill-query"]) {
    const of = (kind: string) => resources.find((each) => each.kind === kind && each.metadata.name === name);
    for (const kind of ["Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"])
      expect(of(kind)).toBeDefined();
    expect(of("HorizontalPodAutoscaler")).toMatchObject({ spec: { minReplicas: 2 } });
    const component = name.replace("viewmill-", "");
    const selected = { "app.kubernetes.io/component": component };
    expect(of("Service")).toMatchObject({ spec: { selector: selected } });
    expect(of("PodDisruptionBudget")).toMatchObject({ spec: { selector: { matchLabels: selected } } });
    expect(of("Deployment")).toMatchObject({ spec: { template: { metadata: { labels: selected } } } });
  }
  expect(new Set(resources.map(({ metadata }) => metadata.namespace ?? metadata.name))).toEqual(new Set(["viewmill"]));
});

type Labels = Record<string, string>;
interface Peer {
  podSelector?: { matchLabels?: Labels; matchExpressions?: { key: string; values: string[] }[] };
}
interface NetworkPolicy {
  metadata: { name: string };
  spec: Peer & { ingress?: { from: Peer[] }[] };
}

/** The labels of every pod template, wherever a resource has one. */
function podLabels(value: unknown): Labels[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const labels = (inner as { metadata?: { labels?: Labels } } | null)?.metadata?.labels;
    const own = (name === "template" || name === "podTemplate") && labels !== undefined ? [labels] : [];
    return [...own, ...podLabels(inner)];
  });
}

it("nobody reaches a pod but who is named, and every selector of a policy finds pods", () => {
  const policies = resources.filter(({ kind }) => kind === "NetworkPolicy") as unknown as NetworkPolicy[];
  expect(policies.find(({ spec }) => JSON.stringify(spec.podSelector) === "{}")?.spec.ingress).toBeUndefined();
  const pods = podLabels(resources);
  const found = (key: string, value: string) => pods.some((labels) => labels[key] === value);
  const unfound = policies.flatMap(({ metadata, spec }) =>
    [spec, ...(spec.ingress ?? []).flatMap(({ from }) => from)].flatMap(({ podSelector = {} }) => {
      const { matchLabels = {}, matchExpressions = [] } = podSelector;
      const wanted = [
        ...Object.entries(matchLabels),
        ...matchExpressions.flatMap(({ key, values }) => values.map((value): [string, string] => [key, value])),
      ];
      return wanted.filter(([key, value]) => !found(key, value)).map((each) => [metadata.name, ...each]);
    }),
  );
  expect(unfound).toEqual([]);
});

it("audits and tiering run by the clock, one at a time; the stream has two JobManagers and a place for its state", () => {
  const jobs = resources.filter(({ kind }) => kind === "CronJob");
  expect(jobs.map(({ spec }) => (spec as { concurrencyPolicy: string }).concurrencyPolicy)).toEqual(
    Array(4).fill("Forbid"),
  );
  const commands = jobs.flatMap((job) => containersIn(job)).map(({ args = [] }) => args.join(" "));
  expect(commands).toEqual(["audit --hourly --repair", "audit --daily --repair", "audit --totals", "tier"]);
  expect(resources.find(({ kind }) => kind === "FlinkDeployment")).toMatchObject({
    spec: {
      flinkConfiguration: {
        "high-availability.type": "kubernetes",
        "high-availability.storageDir": expect.stringMatching(/^gs:/),
        "state.checkpoints.dir": expect.stringMatching(/^gs:/),
      },
      jobManager: { replicas: 2 },
    },
  });
  const kinds = new Set(resources.map(({ kind }) => kind));
  for (const kind of ["PodMonitor", "PrometheusRule"]) expect(kinds).toContain(kind);
});

describeWithServers("kustomize", ["kustomize"], () => {
  it(
    "makes every resource, with the images of the release, and every pod asks for the ConfigMap that is made",
    async () => {
      const made = parseAllDocuments(await kustomized(FOLDER)).map((document) => document.toJS() as Resource);
      expect(made).toHaveLength(resources.length + 1);
      const [configMap] = made.filter(({ kind }) => kind === "ConfigMap").map(({ metadata }) => metadata.name);
      expect(configMap).toMatch(/^viewmill-[a-z0-9]+$/);
      const asked = [...JSON.stringify(made).matchAll(/"configMap":\{"name":"([^"]+)"/g)].map(([, name]) => name);
      expect(asked.length).toBeGreaterThan(8);
      expect(new Set(asked)).toEqual(new Set([configMap]));
      for (const { image } of containersIn(made)) if (image !== undefined) expect(image).toMatch(/^registry\./);
    },
    COLD_START_MS,
  );
});

describeWithServers("kubernetes-validate", ["kubernetes-validate"], () => {
  it(
    "finds nothing by the published schemas, and finds what is wrong",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "viewmill-kubernetes-"));
      try {
        const own = resources.filter(({ apiVersion }) => !OF_OPERATORS.test(apiVersion));
        expect(own.length).toBeGreaterThan(20);
        const file = join(folder, "all.yaml");
        writeFileSync(file, own.map((each) => JSON.stringify(each)).join("\n---\n"));
        expect(await kubernetesProblems(file, VERSION)).toBe("");
        const wrong = { ...own.find(({ kind }) => kind === "Deployment")!, spec: { replica: 2 } };
        writeFileSync(file, JSON.stringify(wrong));
        expect(await kubernetesProblems(file, VERSION)).not.toBe("");
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    COLD_START_MS,
  );
});

describeWithServers("the definition of Flink's operator", ["flink-operator", "kubernetes-validate"], () => {
  it(
    "has every field of the FlinkDeployment, and finds what is wrong",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "viewmill-operator-"));
      try {
        const stream = resources.find(({ kind }) => kind === "FlinkDeployment")!;
        const file = join(folder, "stream.json");
        const problemsOf = (resource: unknown) => {
          writeFileSync(file, JSON.stringify(resource));
          return flinkOperatorProblems(file);
        };
        expect(await problemsOf(stream)).toBe("");
        const { spec } = stream as unknown as { spec: Record<string, unknown> };
        expect(await problemsOf({ ...stream, spec: { ...spec, flinkVersion: "v0_1" } })).toContain("flinkVersion");
        expect(await problemsOf({ ...stream, spec: { ...spec, taskManagers: 2 } })).toContain("taskManagers");
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    COLD_START_MS,
  );
});

/** Findings that stand, each with its reason. */
const ACCEPTED: Record<string, string> = {
  CKV_K8S_14: "kustomize's `images` says the tag",
  CKV_K8S_43: "images are named by digest where they are released: kustomize's `images`, docs/kubernetes.md",
};

describeWithServers("checkov", ["checkov"], () => {
  it(
    "finds nothing but what stands with a reason",
    async () => {
      const { passed, failed } = await checkovFindings(FOLDER, "kubernetes");
      expect(passed).toBeGreaterThan(300);
      expect(failed.filter((finding) => ACCEPTED[finding.split(" ")[0]!] === undefined)).toEqual([]);
    },
    COLD_START_MS,
  );
});
