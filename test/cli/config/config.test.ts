// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { ConfigError } from "../../../cli/config/config-error";
import { loadConfig } from "../../../cli/config/load";
import { configSchema } from "../../../cli/config/schema";
import { isServiceLink, variables } from "../../../cli/config/variables";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-config-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(content: string, name = "viewmill.yaml"): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("configuration", () => {
  it("has a default for everything", () => {
    expect(loadConfig({}, {})).toMatchObject({ data: "./data", http: { host: "127.0.0.1", port: 8080 } });
  });

  it("takes the file, then the environment, then flags: the later wins, key by key", () => {
    const config = file("data: /from-file\nhttp:\n  host: 0.0.0.0\n  port: 1\nlogLevel: warn\n");
    const env = { VIEWMILL_HTTP_PORT: "2", VIEWMILL_DATA: "/from-env", PATH: "/bin" };
    expect(loadConfig({ config, port: 3 }, env)).toMatchObject({
      data: "/from-env",
      http: { host: "0.0.0.0", port: 3, maxEvents: 10_000 },
      logLevel: "warn",
    });
  });

  it("reads JSON as well, and an empty file as nothing", () => {
    expect(loadConfig({ config: file('{"http":{"port":99}}', "c.json") }, {}).http.port).toBe(99);
    expect(loadConfig({ config: file("") }, {}).http.port).toBe(8080);
  });

  it("judges rules across settings only when all of them are in, and an empty section says nothing", () => {
    const config = file("http:\nlateness: {finalAfterMinutes: 30000}\n");
    expect(() => loadConfig({ config }, {})).toThrow(/raw retention/);
    expect(loadConfig({ config }, { VIEWMILL_RETENTION_RAW_DAYS: "60" }).http.port).toBe(8080);
  });

  it("keeps a data folder text, whatever it looks like", () => {
    expect(loadConfig({}, { VIEWMILL_DATA: "2026" }).data).toBe("2026");
  });

  it("finds its file in the environment", () => {
    expect(loadConfig({}, { VIEWMILL_CONFIG: file("http: {port: 7}") }).http.port).toBe(7);
  });

  it.each([
    ["http:\n  prot: 1\n", /viewmill\.yaml.*unknown key "http\.prot"/],
    ["dta: x\n", /viewmill\.yaml.*unknown key "dta"/],
    ["http:\n  port: 70000\n", /viewmill\.yaml.*http\.port/],
    ["stream:\n  maxCpuShare: two\n", /viewmill\.yaml.*stream\.maxCpuShare/],
    ["- a\n- b\n", /viewmill\.yaml.*mapping/],
    ["{", /viewmill\.yaml/],
    ["retention: {rawDays: 1}\nlateness: {finalAfterMinutes: 1000}\n", /lateness\.finalAfterMinutes.*raw retention/],
  ])("refuses %j with one line that names file and key", (content, message) => {
    const load = () => loadConfig({ config: file(content) }, {});
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(message);
    expect(load).not.toThrow(/\n/);
  });

  it("refuses an unknown variable, a missing file and a bad value in the environment", () => {
    expect(() => loadConfig({}, { VIEWMILL_HTTP_PROT: "1" })).toThrow(/unknown variable VIEWMILL_HTTP_PROT/);
    expect(() => loadConfig({ config: join(folder, "none.yaml") }, {})).toThrow(/none\.yaml.*ENOENT/);
    expect(() => loadConfig({}, { VIEWMILL_HTTP_PORT: "eighty" })).toThrow(/http\.port/);
  });

  it("has one variable for each setting", () => {
    const names = [...variables().keys()];
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("VIEWMILL_STREAM_MAX_PASS_ENTRIES");
  });

  it("by its variable each setting of the schema gets another value, lists and maps too", () => {
    for (const [name, { path, kind }] of variables()) {
      const before = valueAt(configSchema.parse({}), path);
      const text = OTHERS[path.join(".")] ?? other(kind, before);
      const after = valueAt(loadConfig({}, { ...NEEDED[path.join(".")], [name]: text }), path);
      expect(after, name).not.toEqual(before);
      expect(loadConfigFrom(path, after), name).toEqual(after);
    }
  });

  it.each([
    [
      {
        rules: [
          { name: "a", kind: "audit-differs" },
          { name: "a", kind: "canary" },
        ],
      },
      /two rules have one name/,
    ],
    [{ rules: [{ name: "a", kind: "rate", eventType: "VIEW", above: 2 }] }, /that of all events/],
    [{ rules: [{ name: "a", kind: "rate" }] }, /above or below is wanted/],
    [{ rules: [{ name: "a", kind: "rate", videoId: "v", channelId: "c", above: 2 }] }, /not both/],
    [{ webhooks: [{ name: "h", url: "ftp://x", secretFile: "/s" }] }, /http or https/],
    [{ webhooks: [{ name: "h", url: "https://x", secretFile: "/s", rules: ["none"] }] }, /there is no rule none/],
    [{ privateNetworks: ["10.0.0.0"] }, /is a network such as/],
  ])("refuses alerts %j with a line that says why", (alerts, message) => {
    expect(() => loadConfig({ config: file(JSON.stringify({ alerts }), "c.json") }, {})).toThrow(message);
  });

  it("finds a variable for every leaf that the defaults show", () => {
    const paths = new Set([...variables().values()].map(({ path }) => path.join(".")));
    const walk = (value: unknown, path: string[]) => {
      if (paths.has(path.join("."))) return;
      expect(value, path.join(".")).toBeTypeOf("object");
      for (const [key, inner] of Object.entries(value as object)) walk(inner, [...path, key]);
    };
    walk(configSchema.parse({}), []);
  });

  it("reads lists and maps as JSON or with commas; what is said later takes the place of the whole value", () => {
    const config = file("dataflow: { labels: { a: x }, serviceOptions: [p] }");
    const env = { VIEWMILL_DATAFLOW_LABELS: "team=video, stage=test", VIEWMILL_DATAFLOW_SERVICE_OPTIONS: "a,b=1" };
    expect(loadConfig({ config }, env).dataflow).toMatchObject({
      labels: { team: "video", stage: "test" },
      serviceOptions: ["a", "b=1"],
    });
    const json = {
      VIEWMILL_DATAFLOW_LABELS: '{"k":"a,b"}',
      VIEWMILL_DATAFLOW_SERVICE_OPTIONS: '["a,b"]',
      VIEWMILL_DATAFLOW_EXPERIMENTS: "",
    };
    const { labels, serviceOptions, experiments } = loadConfig({ config }, json).dataflow;
    expect({ labels, serviceOptions, experiments }).toEqual({
      labels: { k: "a,b" },
      serviceOptions: ["a,b"],
      experiments: [],
    });
    expect(() => loadConfig({}, { VIEWMILL_DATAFLOW_LABELS: "team" })).toThrow(
      /dataflow\.labels \(VIEWMILL_DATAFLOW_LABELS\)/,
    );
    expect(() => loadConfig({}, { VIEWMILL_DATAFLOW_EXPERIMENTS: '["a"' })).toThrow(/VIEWMILL_DATAFLOW_EXPERIMENTS/);
    expect(() => loadConfig({}, { VIEWMILL_HTTP_CORS_ORIGINS: "*,x" })).toThrow(
      /origins\.1 \(VIEWMILL_HTTP_CORS_ORIGINS\)/,
    );
  });

  it("a deep section whose lines are all commented out says nothing, either", () => {
    expect(loadConfig({ config: file("log:\n  kafka:\n    # brokers: x\n") }, {}).log.kafka.brokers).toBe(
      "127.0.0.1:9092",
    );
  });
});

const NEEDED: Record<string, Record<string, string>> = {
  "http.tls.certificateFile": { VIEWMILL_HTTP_TLS_KEY_FILE: "/k" },
  "http.tls.keyFile": { VIEWMILL_HTTP_TLS_CERTIFICATE_FILE: "/c" },
  "log.kafka.caFile": { VIEWMILL_LOG_KAFKA_SSL: "true" },
  "log.kafka.sasl": { VIEWMILL_LOG_KAFKA_USERNAME: "u", VIEWMILL_LOG_KAFKA_PASSWORD_FILE: "/p" },
  "log.kafka.username": { VIEWMILL_LOG_KAFKA_SASL: "plain", VIEWMILL_LOG_KAFKA_PASSWORD_FILE: "/p" },
  "log.kafka.passwordFile": { VIEWMILL_LOG_KAFKA_SASL: "plain", VIEWMILL_LOG_KAFKA_USERNAME: "u" },
};

/** Settings of which not every text is one. */
const OTHERS: Record<string, string> = {
  logLevel: "debug",
  "retention.minuteDays": "40",
  "retention.hourDays": "200",
  "alerts.rules": '[{ "name": "r", "kind": "audit-differs" }]',
  "alerts.webhooks": '[{ "name": "h", "url": "https://example.com", "secretFile": "/s" }]',
  "alerts.privateNetworks": "10.0.0.0/8,fd00::/8",
  "retention.ledgerDays": "500",
  "retention.deadLetterDays": "60",
  "http.cors.origins": "https://example.com,*",
  "log.kind": "kafka",
  "log.kafka.sasl": "plain",
  "log.kafka.passwordFile": "/other",
  "archive.kind": "gcs",
  "counters.kind": "bigtable",
  "deadLetters.kind": "gcs",
  "claims.kind": "gcs",
  "job.runner": "dataflow",
  "stream.maxCpuShare": "0.25",
  "gcs.bucket": "another-bucket",
  "dataflow.tempLocation": "gs://bucket/folder",
};

function other(kind: string, before: unknown): string {
  if (kind === "number") return String((before as number) + 1);
  if (kind === "boolean") return String(before !== true);
  if (kind === "list") return "one,two";
  return kind === "map" ? "key=value" : "other";
}

const valueAt = (tree: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], tree);

/** The same value from a file. */
function loadConfigFrom(path: readonly string[], value: unknown): unknown {
  const tree = path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  return valueAt(loadConfig({ config: file(JSON.stringify(tree)) }, NEEDED[path.join(".")] ?? {}), path);
}

describe("variables that Kubernetes sets in every pod", () => {
  /** The variables in the form in which kubelet makes them: pkg/kubelet/envvars. */
  function linksOf(service: string, address: string, ports: { name: string; port: number; protocol: string }[]) {
    const prefix = service.toUpperCase().replaceAll("-", "_");
    const first = ports[0]!;
    const links: Record<string, string> = {
      [`${prefix}_SERVICE_HOST`]: address,
      [`${prefix}_SERVICE_PORT`]: String(first.port),
      [`${prefix}_PORT`]: `${first.protocol.toLowerCase()}://${address}:${first.port}`,
    };
    for (const { name, port, protocol } of ports) {
      if (name !== "") links[`${prefix}_SERVICE_PORT_${name.toUpperCase().replaceAll("-", "_")}`] = String(port);
      const one = `${prefix}_PORT_${port}_${protocol}`;
      links[one] = `${protocol.toLowerCase()}://${address}:${port}`;
      links[`${one}_PROTO`] = protocol.toLowerCase();
      links[`${one}_PORT`] = String(port);
      links[`${one}_ADDR`] = address;
    }
    return links;
  }
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/).map((text) => text.replaceAll("--", "-x"));
  const port = fc.record({
    name: fc.oneof(fc.constant(""), fc.constant("http"), label),
    port: fc.integer({ min: 1, max: 65_535 }),
    protocol: fc.constantFrom("TCP", "UDP", "SCTP"),
  });

  it("change nothing, whatever the service, its address and its ports", () => {
    const service = fc.oneof(
      fc.constant("viewmill"),
      fc.constantFrom("http", "log", "flink-job-server").map((name) => `viewmill-${name}`),
      label.map((name) => `viewmill-${name}`),
    );
    const address = fc.oneof(fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(service, address, fc.array(port, { minLength: 1, maxLength: 3 }), (name, host, ports) => {
        expect(loadConfig({}, linksOf(name, host, ports))).toEqual(loadConfig({}, {}));
      }),
    );
  });

  it.each([
    ["VIEWMILL_PORT", "8080"],
    ["VIEWMILL_HTTP_PROT", "tcp://10.0.0.1:80"],
    ["VIEWMILL_SERVICE_HOST", "viewmill.example"],
    ["VIEWMILL_SERVICE_HOSTS", "10.0.0.1"],
    ["VIEWMILL_SERVICE_PORT", "http"],
    ["VIEWMILL_PORT_80_TCP_ADRR", "10.0.0.1"],
    ["VIEWMILL", "x"],
  ])("%s=%s is none of them: where it has the prefix it is an error that names it", (name, text) => {
    expect(isServiceLink(name, text)).toBe(false);
    if (name.startsWith("VIEWMILL_"))
      expect(() => loadConfig({}, { [name]: text })).toThrow(new RegExp(`unknown variable ${name}`));
  });
});
