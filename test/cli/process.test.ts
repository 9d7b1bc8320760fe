// SPDX-License-Identifier: Apache-2.0
/** The command as a process: which Node runs it, where its output goes, which files and ids it is given. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

vi.setConfig({ testTimeout: 180_000 });
const ROOT = process.cwd();
const MAIN = join(ROOT, "dist", "cli", "main.js");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-process-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  status: number | null;
  out: string;
  err: string;
}

const bare = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VIEWMILL_")));

async function ended(child: ChildProcess): Promise<Ended> {
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => {
    out += String(chunk);
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    err += String(chunk);
  });
  const [status] = (await once(child, "close")) as [number | null];
  return { status, out, err };
}

const viewmill = (args: readonly string[], options: { node?: string; env?: NodeJS.ProcessEnv; cwd?: string } = {}) =>
  ended(
    spawn(options.node ?? process.execPath, [MAIN, ...args], {
      env: { ...bare(), ...options.env },
      cwd: options.cwd ?? folder,
    }),
  );

/**
 * Node 20 where the machine has one; the machine's own in any case older than the one that is pinned, or the test says
 * so.
 */
function olderNode(): string | undefined {
  const found = spawnSync("sh", ["-c", "command -v node"], {
    env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    encoding: "utf8",
  }).stdout.trim();
  const version = found === "" ? "" : spawnSync(found, ["--version"], { encoding: "utf8" }).stdout;
  return /^v2[0-3]\./.test(version) ? found : undefined;
}

describe("the Node that runs it", () => {
  const older = olderNode();

  it.skipIf(older === undefined)(
    "an older one hands over to the pinned one: output, input and status are those of the command",
    async () => {
      const config = await viewmill(["config"], { node: older! });
      expect(config).toMatchObject({ status: 0, err: "" });
      expect(JSON.parse(config.out)).toMatchObject({ data: "./data" });
      const refused = await viewmill(["config", "--config", "/no/such.yaml"], { node: older! });
      expect(refused).toMatchObject({ status: 1, out: "" });
      expect(refused.err.trim().split("\n")).toHaveLength(1);
    },
  );

  it.skipIf(older === undefined)("a service runs and stops by the signal that the older one gets", async () => {
    const child = spawn(older!, [MAIN, "serve", "--data", join(folder, "served"), "--port", "0"], {
      env: bare(),
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    expect(String(line)).toMatch(/viewmill listening on http/);
    child.kill("SIGTERM");
    expect(await once(child, "close")).toEqual([0, null]);
  });

  it.skipIf(older === undefined)(
    "installed as a package it finds the pinned one beside itself, and says which it needs where there is none",
    async () => {
      const modules = join(folder, "app", "node_modules");
      const installed = join(modules, "viewmill");
      mkdirSync(installed, { recursive: true });
      cpSync(join(ROOT, "package.json"), join(installed, "package.json"));
      cpSync(join(ROOT, "dist", "cli"), join(installed, "dist", "cli"), { recursive: true });
      const run = () => ended(spawn(older!, [join(installed, "dist", "cli", "main.js"), "--version"], { env: bare() }));
      const without = await run();
      expect(without.status).toBe(1);
      expect(without.err).toMatch(/^viewmill: Node 24 or newer is needed, and this is 2\d\.[^\n]*\n$/);
      for (const name of readdirSync(join(ROOT, "node_modules")))
        symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
      const filter = (path: string) => !path.startsWith(join(ROOT, "dist", "test"));
      cpSync(join(ROOT, "dist"), join(installed, "dist"), { recursive: true, filter });
      expect(await run()).toMatchObject({ status: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
    },
  );
});

describe("output that nobody reads to its end", () => {
  /** Status of the command itself, behind whose output `head` has gone. */
  const behindHead = (command: string) =>
    spawnSync(
      "bash",
      [
        "-c",
        `set -o pipefail; ${process.execPath} ${MAIN} ${command} 2>${join(folder, "err")} | head -c 10 >/dev/null`,
      ],
      {
        env: bare(),
        cwd: folder,
      },
    ).status;

  it("ends quietly, with the status that the command has", () => {
    expect(behindHead("generate --out - --count 200000 --rate 0")).toBe(0);
    expect(readFileSync(join(folder, "err"), "utf8")).toBe("");
    expect(behindHead("config")).toBe(0);
    expect(behindHead("plan --events-per-second 10 --videos 10 --explain --prices")).toBe(0);
    expect(readFileSync(join(folder, "err"), "utf8")).toBe("");
  });

  it("a disk that is full is one line and status 1", () => {
    const run = spawnSync(
      "bash",
      ["-c", `${process.execPath} ${MAIN} generate --out - --count 9 --rate 0 >/dev/full`],
      {
        env: bare(),
        encoding: "utf8",
      },
    );
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/^viewmill: standard output: [^\n]*ENOSPC[^\n]*\n$/);
  });
});

describe("an id on the command line", () => {
  let server: Server;
  let url: string;
  const asked: string[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.url ?? "");
      if (request.url?.startsWith("/moved") === true) {
        response.writeHead(307, { Location: request.url.slice("/moved".length) }).end();
        return;
      }
      const videoId = decodeURIComponent(/^\/v1\/videos\/([^/?]*)\/counts/.exec(request.url ?? "")?.[1] ?? "?");
      response.end(
        JSON.stringify({
          videoId,
          eventType: "VIEW",
          start: "",
          end: "",
          granularity: "day",
          count: 0,
          buckets: [],
          completeThrough: "",
        }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it.each([".", "..", "-abc", "-habc", "-", "a/b", "../..", "50%", "a?b", "a#b", "%2E", "a b", "ä"])(
    "%s asks for exactly that video",
    async (id) => {
      const { status, out } = await viewmill(["counts", id, "--url", url, "--json"]);
      expect(status).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ videoId: id });
    },
  );

  it("that begins with two dashes goes behind --, where nothing is an option", async () => {
    for (const id of ["--abc", "--json", "-abc"]) {
      const { out } = await viewmill(["counts", "--url", url, "--json", "--", id]);
      expect(JSON.parse(out)).toMatchObject({ videoId: id });
    }
    const { out } = await viewmill(["counts", "--type", "-x", "--json", "-abc", "--url", `${url}/moved`]);
    expect(JSON.parse(out)).toMatchObject({ videoId: "-abc" });
    expect(asked.at(-1)).toMatch(/^\/v1\/videos\/-abc\/counts\?eventType=-x/);
  });

  it("a misspelt option still is an error that names it", async () => {
    expect(await viewmill(["counts", "v", "--granularty", "day"])).toMatchObject({
      status: 1,
      err: expect.stringMatching(/unknown option '--granularty'/) as string,
    });
  });
});

describe("a file or folder that cannot be used is one line and status 1", () => {
  beforeAll(() => {
    writeFileSync(join(folder, "plain.txt"), "x\n");
    writeFileSync(join(folder, "bad.yaml"), "{");
  });

  it.each([
    ["send a missing file", ["send", "none.ndjson"], "none.ndjson"],
    ["send a folder", ["send", "."], ".:"],
    [
      "send with rejects into a missing folder",
      ["send", "plain.txt", "--rejects", "no/such/r", "--url", "http://127.0.0.1:1"],
      "no/such/r",
    ],
    ["backfill a missing file", ["backfill", "none.ndjson", "--data", "backfilled"], "none.ndjson"],
    ["backfill a folder", ["backfill", ".", "--data", "backfilled"], ".:"],
    ["serve in a file", ["serve", "--data", "plain.txt", "--port", "0"], "plain.txt"],
    ["serve below a file", ["serve", "--data", "plain.txt/x", "--port", "0"], "plain.txt/x"],
    ["audit below a file", ["audit", "--data", "plain.txt/x"], "plain.txt/x"],
    ["dead letters in a file", ["dead-letters", "list", "--data", "plain.txt"], "plain.txt"],
    ["a missing configuration", ["config", "--config", "none.yaml"], "none.yaml"],
    ["a folder as configuration", ["config", "--config", "."], ".:"],
    ["a broken configuration", ["archive", "--config", "bad.yaml"], "bad.yaml"],
    ["counts of a missing configuration", ["counts", "v", "--config", "none.yaml"], "none.yaml"],
    ["a stream with a missing configuration", ["pipeline", "stream", "--config", "none.yaml"], "none.yaml"],
  ])("%s", async (_name, args, named) => {
    const { status, out, err } = await viewmill(args);
    expect(err).not.toMatch(/\n\s+at /);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(err).toContain(named);
    expect(out).not.toMatch(/\n\s+at /);
    expect(status).toBe(1);
  });
});
