// SPDX-License-Identifier: Apache-2.0
/** A flag that says nothing to what was asked for is an error that names it; a dry run changes nothing. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import * as audit from "../../../cli/commands/audit";
import * as deadLetters from "../../../cli/commands/dead-letters";
import * as exporting from "../../../cli/commands/export";
import * as generate from "../../../cli/commands/generate";
import * as pipeline from "../../../cli/commands/pipeline";
import * as plan from "../../../cli/commands/plan";
import { removeFolders, temporaryFolder } from "../../io/ports/condition";

vi.setConfig({ testTimeout: 180_000 });
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  vi.unstubAllEnvs();
  process.exitCode = undefined;
});
afterAll(removeFolders);

/** Runs the command in this process: what it prints. Rejects with what the program would end with. */
async function viewmill(...args: readonly string[]): Promise<string> {
  const program = new Command("viewmill").exitOverride().enablePositionalOptions();
  for (const command of [audit, deadLetters, exporting, generate, pipeline, plan]) command.register(program);
  let printed = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await program.parseAsync(["node", "viewmill", ...args]);
  } finally {
    write.mockRestore();
  }
  return printed;
}

it("an export to no place is refused: it would write where the command is run", async () => {
  const range = ["--from", "2026-11-21T10:00:00Z", "--to", "2026-11-21T11:00:00Z"];
  await expect(viewmill("export", ...range, "--out", "")).rejects.toThrow(/--out <place>.* a directory or gs:/);
});

describe("a flag that does not apply is an error that names it", () => {
  it.each([
    [["pipeline", "stream", "--region", "europe-west1"], /--region: a direct run/],
    [["pipeline", "stream", "--runner", "direct", "--no-public-ips"], /--no-public-ips: a direct run/],
    [["pipeline", "stream", "--runner", "direct", "--log", "kafka", "--topic", "t"], /--log, --topic: a direct run/],
    [["pipeline", "stream", "--runner", "direct", "--from-savepoint", "p"], /--from-savepoint/],
    [["pipeline", "stream", "--runner", "direct", "--take-over-from", "2026-11-21T10:00:00Z"], /--take-over-from/],
    [["pipeline", "stream", "--runner", "flink", "--log", "kafka", "--from", "2026-11-21T10:00:00Z"], /--from/],
    [["pipeline", "stream", "--runner", "flink", "--log", "kafka", "--machine-type", "m"], /--machine-type/],
    [["pipeline", "stream", "--runner", "flink", "--log", "kafka", "--subscription", "s"], /--subscription: .*kafka/],
    [["pipeline", "stream", "--runner", "dataflow", "--log", "pubsub", "--from-savepoint", "p"], /--from-savepoint/],
    [["pipeline", "stream", "--runner", "dataflow", "--to", "2026-11-21T10:00:00Z"], /--to/],
    [["pipeline", "list", "--runner", "flink", "--region", "r"], /--region/],
    [["pipeline", "status", "job", "--project", "p"], /--project/],
    [["pipeline", "cancel", "job", "--project", "p"], /--project/],
    [["audit", "--region", "r"], /--region: an audit on direct/],
    [["audit", "--project", "p"], /--project: neither Dataflow nor Pub\/Sub nor Bigtable/],
    [["pipeline", "stream", "--project", "p"], /--project: neither/],
    [["pipeline", "stream", "--runner", "flink", "--log", "kafka", "--project", "p"], /--project: neither/],
    [["audit", "--runner", "flink", "--label", "a=b"], /--label/],
    [["audit", "--hourly", "--daily"], /--hourly/],
    [["generate", "--out", "-", "--url", "http://127.0.0.1:1"], /--url/],
    [["generate", "--count", "5", "--duration", "3"], /--duration/],
    [["generate", "--count", "5", "--late-by", "3"], /--late-by/],
    [["dead-letters", "show", "1", "--raw", "--json"], /--json/],
    [["plan", "--events-per-second", "1", "--videos", "1", "--seed", "3"], /--seed/],
    [["plan", "--events-per-second", "1", "--videos", "1", "--json", "--explain"], /--explain/],
  ])("%j", async (args, message) => {
    const named = args[0] === "generate" || args[0] === "plan" ? args : [...args, "--data", folder];
    await expect(viewmill(...named)).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(message) as string,
    });
  });
});

describe("pipeline stream", () => {
  const RANGE = ["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"];
  const missing = () => join(folder, "missing");
  it.each([[[]], [["--dry-run"]]])(
    "%j: of a missing folder or a reversed range ends in one line, and makes nothing",
    async (flags) => {
      await expect(viewmill("pipeline", "stream", ...flags, "--data", missing())).rejects.toMatchObject({
        name: "DataFolderError",
      });
      for (const data of [missing(), folder]) {
        const reversed = viewmill("pipeline", "stream", ...flags, ...RANGE, "--data", data);
        await expect(reversed).rejects.toMatchObject({ name: "ConfigError", message: "--from must be before --to" });
      }
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  it("names the expansion service that does not answer, in one line", async () => {
    const file = join(folder, "flink.json");
    const flink = { expansionService: "127.0.0.1:1" };
    writeFileSync(file, JSON.stringify({ data: folder, log: { kind: "kafka" }, flink }));
    const described = viewmill("pipeline", "stream", "--runner", "flink", "--dry-run", "--config", file);
    await expect(described).rejects.toMatchObject({
      name: "FlinkError",
      message: expect.stringMatching(/^the expansion service at 127\.0\.0\.1:1 does not answer: /) as string,
    });
  });
});

describe("pipeline stream without --runner", () => {
  const config = (settings: object) => {
    const file = join(folder, "viewmill.json");
    writeFileSync(file, JSON.stringify({ data: folder, ...settings }));
    return ["--config", file];
  };

  it("with --dry-run counts nothing, makes nothing, and says what it would count", async () => {
    mkdirSync(join(folder, "archive"));
    const before = readdirSync(folder);
    const described = JSON.parse(
      await viewmill("pipeline", "stream", "--dry-run", "--json", "--data", folder),
    ) as object;
    expect(described).toMatchObject({ runner: "direct", minutes: 0, objects: [] });
    expect(readdirSync(folder)).toEqual(before);
    await expect(viewmill("pipeline", "stream", "--dry-run", "--data", join(folder, "none"))).rejects.toThrow(/none/);
    expect(readdirSync(folder)).toEqual(before);
  });

  it("runs where job.runner says", async () => {
    const asked = viewmill("pipeline", "stream", "--dry-run", ...config({ job: { runner: "dataflow" } }));
    await expect(asked).rejects.toThrow(/Dataflow/);
    vi.stubEnv("VIEWMILL_JOB_RUNNER", "flink");
    await expect(viewmill("pipeline", "stream", "--dry-run", ...config({}))).rejects.toThrow(
      /a job on Flink reads Kafka/,
    );
  });

  it("runs on Flink where a log of Kafka or Pub/Sub is, and nothing is said", async () => {
    const unreachable = { log: { kind: "kafka" }, flink: { expansionService: "127.0.0.1:1" } };
    await expect(viewmill("pipeline", "stream", "--dry-run", ...config(unreachable))).rejects.toThrow(/127\.0\.0\.1:1/);
  });

  it("jobs are Flink's where nothing is said, and none where job.runner is direct", async () => {
    await expect(viewmill("pipeline", "list", ...config({ job: { runner: "direct" } }))).rejects.toThrow(/--runner/);
    await expect(viewmill("pipeline", "list", ...config({ flink: { restUrl: "http://127.0.0.1:1" } }))).rejects.toThrow(
      /127\.0\.0\.1:1/,
    );
  });
});
