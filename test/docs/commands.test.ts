// SPDX-License-Identifier: Apache-2.0
/**
 * Every command that a page of the documentation shows runs, page by page and in order, beside one service. A command
 * that cannot run here has a reason of a closed list, by which it is known, and its subcommand and options exist.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { programFor } from "../../cli/program";
import { cleanUp, Service, temporaryFolder } from "../system/end-to-end/service";

const ROOT = join(__dirname, "..", "..", "..");
const MAIN = join(ROOT, "dist", "cli", "main.js");

/** What a command needs that no test has, and the words by which such a command is known. */
const NEEDS = {
  "a project of Google Cloud": /\b(?:gcloud|terraform|docker push)\b|(?:google-cloud|dataflow)-smoke|^PROJECT=/,
  "a project of Google Cloud, or a bucket":
    /^viewmill (?:pipeline|audit) .*(?:--runner dataflow|drain)|^viewmill bigtable init/,
  docker: /^(?:docker|for \w+ in [\w ]+; do\n?\s*docker)\b|REPOSITORY=/,
  kubernetes: /^kubectl\b/,
  "a Kafka client of Apache": /kafka-console-producer/,
  "a cluster, which test/system/cluster and test/demo start":
    /^viewmill (?:(?:kafka|storage|bigtable|pipeline|archive|serve|keys create|audit)\b.*(?:--config viewmill\.yaml|savepoint|resume|cancel|--take-over-from|--from)|bigtable init)/,
  "minutes of a machine": /^npm (?:run |start)|^npm test|^k6 |^npx viewmill kafka init/,
} as const;

interface Page {
  /** The commands that do not run here. All others do. */
  not?: readonly (readonly [keyof typeof NEEDS, RegExp])[];
  /** Files that the page speaks of. */
  files?: Readonly<Record<string, string>>;
  /** Words of the page that stand for others. */
  words?: readonly (readonly [RegExp, string])[];
}

const CLUSTER = "a cluster, which test/system/cluster and test/demo start";
const GOOGLE = "a project of Google Cloud";
const LONG = "minutes of a machine";
const EVENT = '{"eventId":"file-1","videoId":"cats-42","eventType":"VIEW"}\n';

/** Pages with settings of their own; every other page runs whole. */
const PAGES: Readonly<Record<string, Page>> = {
  README: {
    not: [[LONG, /^npm |kafka init/]],
    files: {
      "events.ndjson": EVENT,
      "old.ndjson": '{"eventId":"old-1","videoId":"a","eventType":"VIEW","eventTime":"2026-01-02T10:00:00Z"}\n',
    },
  },
  "quick-start": {},
  recipes: {},
  catalog: {
    files: { "videos.csv": "videoId,title\nv,V\n", "videos.ndjson": '{"videoId":"w","title":"W"}\n' },
  },
  "direct-producers": {
    not: [
      [GOOGLE, /^gcloud/],
      ["a Kafka client of Apache", /kafka-console-producer/],
    ],
  },
  flink: { not: [[CLUSTER, /--config viewmill\.yaml/]] },
  "shared-logs": { not: [[CLUSTER, /--config viewmill\.yaml/]] },
  operations: { not: [[CLUSTER, /pipeline/]] },
  "google-cloud": {
    not: [
      ["a project of Google Cloud, or a bucket", /^viewmill/],
      [GOOGLE, /./],
    ],
  },
  dataflow: {
    not: [
      ["a project of Google Cloud, or a bucket", /^viewmill/],
      [GOOGLE, /smoke/],
      [LONG, /^npm/],
    ],
  },
  images: {
    not: [
      ["docker", /docker/],
      [GOOGLE, /^gcloud/],
    ],
  },
  kubernetes: { not: [["kubernetes", /^kubectl/]] },
  bench: { not: [[LONG, /^(?:npm|k6)/]] },
  servers: { not: [[LONG, /^npm/]] },
  keys: {
    words: [
      [/3f2a91c07be4d815/, '$(viewmill keys list --json | grep -o \'"id": *"[^"]*\' | head -1 | cut -d\'"\' -f4)'],
    ],
  },
};

const pages = ["README", ...readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"))].map((name) =>
  name.replace(/\.md$/, ""),
);
const textOf = (page: string) => readFileSync(join(ROOT, page === "README" ? "" : "docs", `${page}.md`), "utf8");

/** The commands of a page: of its shell blocks, and of indented blocks that begin with a program. */
function commandsOf(page: string): string[] {
  const fenced = [...textOf(page).matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block!);
  const outside = textOf(page).replace(/^```.*?^```/gms, "");
  const indented = [...outside.matchAll(/^ {4}(?=(?:npm|npx|viewmill|curl|k6|scripts\/)[ \w])(.*)$/gm)].map(
    ([, line]) => `${line!}\n`,
  );
  return [...fenced.flatMap(split), ...indented];
}

/** Lines that belong together: continued ones, and what stands between `for` and `done`. */
function split(block: string): string[] {
  const commands: string[] = [];
  let open = "";
  for (const line of block.split("\n")) {
    if (open === "" && /^\s*(?:#|$)/.test(line)) continue;
    open += `${line}\n`;
    const isWhole = !/[\\|]\s*$/.test(line) && (!/^for /.test(open) || /^done/m.test(open));
    const quotes = open.replace(/\\'/g, "").split("'").length - 1;
    if (!isWhole || quotes % 2 === 1) continue;
    commands.push(open);
    open = "";
  }
  return open === "" ? commands : [...commands, open];
}

const needOf = (page: string, command: string) => PAGES[page]?.not?.find(([, pattern]) => pattern.test(command))?.[0];

describe("a command that does not run here", () => {
  it.each(pages.flatMap((page) => commandsOf(page).map((command) => [page, command.trim()] as const)))(
    "%s: %s",
    async (page, command) => {
      const need = needOf(page, command);
      if (need !== undefined) expect(command).toMatch(NEEDS[need]);
      for (const problem of await problemsOf(command)) throw new Error(problem);
    },
  );

  it("is told from one with an option or a subcommand that does not exist", async () => {
    expect(await problemsOf("viewmill audit --repaired")).toEqual(["viewmill audit has no --repaired"]);
    expect(await problemsOf("npx viewmill keys made --json | sort")).toEqual(["viewmill keys has no made"]);
    expect(await problemsOf("viewmill tear")).toEqual(["viewmill has no tear"]);
    expect(await problemsOf("npm run benches")).toEqual(["package.json has no script benches"]);
  });
});

/** What of our own programs in a command does not exist. */
async function problemsOf(command: string): Promise<string[]> {
  const problems: string[] = [];
  const bare = command
    .replace(/#.*$/gm, "")
    .replace(/\\\n/g, " ")
    .replace(/"[^"]*"|'[^']*'/g, "TEXT");
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  for (const [, script = ""] of bare.matchAll(/\bnpm run ([\w:]+)/g))
    if (!(script in scripts)) problems.push(`package.json has no script ${script}`);
  for (const [, file = ""] of bare.matchAll(/(?:^|\s)(scripts\/[\w./-]+)/g))
    if (!existsSync(join(ROOT, file))) problems.push(`there is no ${file}`);
  for (const [, words = ""] of bare.matchAll(/(?:^|[\n|(;]|npx )\s*viewmill ([^\n|;&)>]*)/g))
    problems.push(...(await problemsOfWords(words.trim().split(/\s+/))));
  return problems;
}

async function problemsOfWords(words: readonly string[]): Promise<string[]> {
  let at: Command = await programFor(words[0] ?? "");
  const problems: string[] = [];
  for (const word of words) {
    const inner = at.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (inner !== undefined) at = inner;
    else if (word.startsWith("--")) {
      const name = word.replace(/=.*/, "");
      if (!at.options.some(({ long }) => long === name) && !["--help", "--version"].includes(name))
        problems.push(`${nameOf(at)} has no ${name}`);
    } else if (at.commands.length > 0 && !/[A-Z|]/.test(word)) {
      problems.push(`${nameOf(at)} has no ${word}`);
      return problems;
    }
  }
  return problems;
}

const nameOf = (command: Command): string =>
  (command.parent === null ? "" : `${nameOf(command.parent)} `) + command.name();

describe("the commands", () => {
  let folder = "";
  let service: Service;
  beforeAll(async () => {
    folder = temporaryFolder();
    mkdirSync(join(folder, "bin"));
    const own = `exec "${process.execPath}" "${MAIN}" "$@"\n`;
    writeFileSync(join(folder, "bin", "npx"), `#!/bin/sh\nshift\n${own}`, { mode: 0o755 });
    writeFileSync(join(folder, "bin", "viewmill"), `#!/bin/sh\n${own}`, { mode: 0o755 });
    service = await Service.start({ folder: join(folder, "data") });
  }, 120_000);
  afterAll(cleanUp);

  // Keys come last: from then on the service asks for one.
  const order = [...pages.filter((page) => page !== "keys"), "keys"];
  it.each(order.filter((page) => commandsOf(page).some((command) => needOf(page, command) === undefined)))(
    "of %s run as they stand",
    { timeout: 240_000 },
    (page) => {
      const { files = {}, words = [] } = PAGES[page] ?? {};
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      const script = commandsOf(page)
        .filter((command) => needOf(page, command) === undefined)
        .map((command) => words.reduce((text, [word, by]) => text.replace(word, by), command))
        .join("")
        .replaceAll("http://127.0.0.1:8080", service.url)
        .replace(/(dead-letters replay|viewmill send)(?! .*--url)/g, `$1 --url ${service.url}`)
        .replaceAll(/curl (?:-s )?/g, "curl -sf --show-error ");
      const { status, stderr, stdout } = spawnSync("bash", ["-euxo", "pipefail", "-c", script], {
        cwd: folder,
        env: { ...process.env, PATH: `${join(folder, "bin")}:${process.env.PATH}` },
        encoding: "utf8",
      });
      expect(status, `${stdout}${stderr}`).toBe(0);
    },
  );
});
