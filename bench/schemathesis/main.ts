// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run schemathesis`: an outside look at a real service over /openapi.json, with a key of each scope and with all
 * of them. Exit 1 where something is found: a failure, an answer that is not documented, a scope that does not hold.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { createKey, newKeySchema } from "../../admission/new-key";
import { SqliteAccessKeys } from "../../io/sqlite/access-keys";
import { prepareDataFolder } from "../../io/sqlite/data-folder";
import { runSchemathesis } from "../../servers/schemathesis";
import { startService } from "../load/service";
import { positive, runProgram } from "../program";
import { type Answered, answeredIn, failures, type OpenApiPaths, scopeEscapes } from "./scope-escapes";

interface Flags {
  minutes: number;
  seed: number;
  markdown?: string;
}

const RUNS = [["write"], ["read"], ["operate"], ["write", "read", "operate"]];
const MINUTE_S = 60;
/** The end of a run's output: the failures and the summary. */
const SHOWN_CHARACTERS = 6_000;

interface Look {
  scopes: readonly string[];
  isClean: boolean;
  requests: number;
  statuses: Record<string, number>;
  failures: readonly Answered[];
  escapes: readonly Answered[];
  output: string;
}

async function main(flags: Flags): Promise<void> {
  const looks: Look[] = [];
  for (const scopes of RUNS) {
    process.stderr.write(`key of ${scopes.join(", ")} ...\n`);
    looks.push(await look(scopes, (flags.minutes * MINUTE_S) / RUNS.length, flags.seed));
  }
  const page = pageOf(looks, flags);
  process.stdout.write(page);
  if (flags.markdown !== undefined) {
    mkdirSync(dirname(flags.markdown), { recursive: true });
    writeFileSync(flags.markdown, page);
  }
  const isWell = looks.every((one) => one.isClean && one.failures.length + one.escapes.length === 0);
  if (!isWell) process.exitCode = 1;
}

/** A service of its own for each key, so that its metrics are those of that key's requests. */
async function look(scopes: readonly string[], seconds: number, seed: number): Promise<Look> {
  const folder = mkdtempSync(join(tmpdir(), "viewmill-schemathesis-"));
  const data = join(folder, "data");
  prepareDataFolder(data);
  const keys = new SqliteAccessKeys({ folder: data });
  const key = (asked: object) => createKey(keys, newKeySchema.parse({ name: "look", ...asked }), Date.now());
  const [{ text }, watcher] = [await key({ scopes }), await key({ scopes: ["read"] })];
  await keys.close();
  const service = await startService(data, { VIEWMILL_AUDIT_ENABLED: "false" });
  try {
    const { isClean, output } = await runSchemathesis({ url: service.url, key: text, seconds, seed, folder });
    const ask = (path: string) =>
      fetch(`${service.url}${path}`, { headers: { Authorization: `Bearer ${watcher.text}` } });
    const answers = answeredIn(await (await ask("/metrics")).text());
    const document = (await (await ask("/openapi.json")).json()) as OpenApiPaths;
    const statuses: Record<string, number> = {};
    for (const { status, times } of answers) statuses[status] = (statuses[status] ?? 0) + times;
    return {
      scopes,
      isClean,
      requests: answers.reduce((sum, { times }) => sum + times, 0),
      statuses,
      failures: failures(answers),
      escapes: scopeEscapes(answers, document, scopes),
      output,
    };
  } finally {
    await service.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function pageOf(looks: readonly Look[], { minutes, seed }: Flags): string {
  const rows = looks.map(({ scopes, isClean, requests, statuses, failures: failed, escapes }) =>
    [
      ...[scopes.join(", "), isClean ? "nothing" : "**findings**", String(requests), JSON.stringify(statuses)],
      ...[String(failed.length), String(escapes.length)],
    ].join(" | "),
  );
  const found = looks.filter(
    ({ isClean, failures: failed, escapes }) => !isClean || failed.length + escapes.length > 0,
  );
  return `# Schemathesis over /openapi.json

    npm run schemathesis -- --minutes ${minutes} --seed ${seed}

All checks but \`positive_data_acceptance\` (rules across fields are no part of a schema), and without \`negative_data_rejection\` for \`POST /v1/events\`, which answers 202 and names each bad event. Without \`/v1/live\`, which has no end. Load at the end ${loadavg()
    .map((one) => one.toFixed(1))
    .join(", ")}.

| key | Schemathesis found | answers of the read API | by status | routes with 5xx | routes beyond the scope |
| --- | --- | --- | --- | --- | --- |
${rows.map((row) => `| ${row} |`).join("\n")}
${found.map(({ scopes, output, failures: failed, escapes }) => `\n## ${scopes.join(", ")}\n\n${JSON.stringify({ failed, escapes })}\n\n\`\`\`\n${output.slice(-SHOWN_CHARACTERS)}\n\`\`\`\n`).join("")}`;
}

runProgram(
  new Command("npm run schemathesis --")
    .description("asks a service what its OpenAPI document allows and forbids, with a key of each scope")
    .option("--minutes <n>", "of all runs together", positive, 20)
    .option("--seed <n>", "of what is asked", positive, 1)
    .option("--markdown <file>", "write the result here as a page")
    .action(main),
);
