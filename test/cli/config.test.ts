import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, loadConfig, variables } from "../../cli/config";

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
});
