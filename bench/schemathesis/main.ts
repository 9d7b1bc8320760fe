// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run schemathesis`: an outside look at a real service over /openapi.json, with a key of each scope and with all
 * of them. Exit 1 where something is found: a failure, an answer that is not documented, a scope that does not hold.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { runSchemathesis } from "../../servers/schemathesis";
import { positive, runProgram, writePage } from "../program";
import { oneService, twoBehindNginx } from "./looked-at";
import { type Answered, answeredIn, failures, type OpenApiPaths, scopeEscapes } from "./scope-escapes";

interface Flags {
  minutes: number;
  seed: number;
  behindNginx: boolean;
  markdown?: string;
}

const RUNS = [["write"], ["read"], ["operate"], ["write", "read", "operate"]];
const MINUTE_S = 60;
/** The end of a run's output: the failures and the summary. */
const SHOWN_CHARACTERS = 6_000;

/** The reasons that the page gives for everything that is not asked or not judged. */
const LEFT_OUT =
  "All checks of all operations, with these exceptions. `negative_data_rejection` is off for `POST /v1/events` and the catalog, which answer 202 or 200 and name each refused event or line. `positive_data_acceptance` is off there too, and for operations with rules that no schema can state: `/v1/pixel.gif` (an event may be too old), `/v1/keys` (a public key may only write; origins), `/v1/query`, `/v1/ledger`, `/v1/top`, `/v1/trending`, `/v1/videos`, and `counts`, `stats` and `top` of a video or channel (a start before its end, ranges, cursors that an answer gave). 503 of `/readyz` is its answer where a store is slow. Behind nginx `unsupported_method` is off, because nginx answers TRACE itself. `/v1/live` is left out, because it has no end.";

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
    looks.push(await look(scopes, (flags.minutes * MINUTE_S) / RUNS.length, flags));
  }
  const page = pageOf(looks, flags);
  process.stdout.write(page);
  writePage(page, flags.markdown);
  const isWell = looks.every((one) => one.isClean && one.failures.length + one.escapes.length === 0);
  if (!isWell) process.exitCode = 1;
}

/** A deployment of its own for each key, so that its metrics are those of that key's requests. */
async function look(scopes: readonly string[], seconds: number, { seed, behindNginx }: Flags): Promise<Look> {
  const folder = mkdtempSync(join(tmpdir(), "viewmill-schemathesis-"));
  const prepared = await (behindNginx ? twoBehindNginx(folder) : oneService(folder));
  const [key, watcher] = [await prepared.keyOf(scopes), await prepared.keyOf(["read"])];
  const service = await prepared.start();
  try {
    const { isClean, output } = await runSchemathesis({ url: service.url, key, seconds, seed, behindNginx, folder });
    const ask = async (url: string) => (await fetch(url, { headers: { Authorization: `Bearer ${watcher}` } })).text();
    const metrics = await Promise.all(service.instances.map((instance) => ask(`${instance}/metrics`)));
    const answers = metrics.flatMap(answeredIn);
    const document = JSON.parse(await ask(`${service.url}/openapi.json`)) as OpenApiPaths;
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
    await prepared.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

function pageOf(looks: readonly Look[], { minutes, seed, behindNginx }: Flags): string {
  const rows = looks.map(({ scopes, isClean, requests, statuses, failures: failed, escapes }) =>
    [
      ...[scopes.join(", "), isClean ? "nothing" : "**findings**", String(requests), JSON.stringify(statuses)],
      ...[String(failed.length), String(escapes.length)],
    ].join(" | "),
  );
  const found = looks.filter(
    ({ isClean, failures: failed, escapes }) => !isClean || failed.length + escapes.length > 0,
  );
  const where = behindNginx ? "Two services behind nginx, over Pub/Sub, Bigtable and Cloud Storage" : "One service";
  const command = `npm run schemathesis -- --minutes ${minutes} --seed ${seed}${behindNginx ? " --behind-nginx" : ""}`;
  const load = loadavg().map((one) => one.toFixed(1));
  return `# Schemathesis over /openapi.json

    ${command}

${where}. ${LEFT_OUT} Load at the end ${load.join(", ")}.

| key | Schemathesis found | answers | by status | routes with 5xx | routes beyond the scope |
| --- | --- | --- | --- | --- | --- |
${rows.map((row) => `| ${row} |`).join("\n")}
${found.map(({ scopes, output, failures: failed, escapes }) => `\n## ${scopes.join(", ")}\n\n${JSON.stringify({ failed, escapes })}\n\n\`\`\`\n${output.slice(-SHOWN_CHARACTERS)}\n\`\`\`\n`).join("")}`;
}

runProgram(
  new Command("npm run schemathesis --")
    .description("asks a service what its OpenAPI document allows and forbids, with a key of each scope")
    .option("--minutes <n>", "of all runs together", positive, 20)
    .option("--seed <n>", "of what is asked", positive, 1)
    .option("--behind-nginx", "two services behind nginx over shared stores, instead of one", false)
    .option("--markdown <file>", "write the result here as a page")
    .action(main),
);
