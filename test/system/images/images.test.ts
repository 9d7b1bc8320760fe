// SPDX-License-Identifier: Apache-2.0
/** The content of the images, and that they run without this checkout, its environment, and its rights. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { bootVariable } from "../../../engine/boot";
import { freePort } from "../../../servers";
import { BootedWorker } from "../../engine/booted-worker";
import { ControlServer } from "../../engine/control-server";
import { ProvisionServer } from "../../engine/provision-server";
import { isAlive, until } from "../../servers/processes";
import { COLD_START_MS } from "../../servers/with-servers";
import { openFolder, ROOT, removeFolder } from "./base-images";
import { Container, containerCommand, giveTo, isolates, runContainer } from "./container";
import type { Image } from "./image-build";
import { type ImageFile, imageFiles, misplaced } from "./image-files";
import { buildProjectImages, type ProjectImages } from "./project-images";

vi.setConfig({ testTimeout: 120_000 });
const DEADLINE_MS = 60_000;
/** The allowed sizes of the images without the base of the running image, of which Node is 124 MB. */
const MOST_BYTES = 245e6;
const project = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  version: string;
  dependencies: Record<string, string>;
};
const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
  packages: Record<string, { dev?: boolean }>;
};
const developmentPackages = Object.keys(lock.packages).filter((name) => lock.packages[name]?.dev === true);

let images: ProjectImages;
let folder = "";
beforeAll(async () => {
  images = await buildProjectImages({ REVISION: "0123abc" });
  folder = openFolder("images-data");
}, COLD_START_MS);
afterAll(() => {
  images?.remove();
  removeFolder(folder);
}, DEADLINE_MS);

describe.each(["worker", "service"] as const)("the image of the %s", (name) => {
  let image: Image;
  let files: ImageFile[];
  beforeAll(() => {
    image = images[name];
    files = imageFiles(image.root);
  });

  test("holds what runs, and neither secrets nor anything of development", () => {
    expect(
      misplaced(
        files.map(({ path }) => path),
        developmentPackages,
      ),
    ).toEqual([]);
    expect(readdirSync(join(image.root, "app")).sort()).toEqual(["LICENSE", "dist", "node_modules", "package.json"]);
    expect(readdirSync(join(image.root, "app", "dist")).sort()).toEqual(
      [
        "cli",
        "client",
        "dashboard",
        "docs",
        "domain",
        "engine",
        "admission",
        "ingest-api",
        "intake",
        "io",
        "pipelines",
        "plan",
        "query-api",
        "transforms",
      ].sort(),
    );
  });

  test("has every production dependency, at the version of the lockfile", async () => {
    const options = { cwd: join(image.root, "app"), env: { ...process.env, npm_config_local_prefix: "" } };
    const { stdout } = await promisify(execFile)("npm", ["ls", "--all", "--json"], { ...options, maxBuffer: 1 << 26 });
    const tree = JSON.parse(stdout) as { problems?: string[]; dependencies: Record<string, { version: string }> };
    expect(tree.problems ?? []).toEqual([]);
    const versions = Object.entries(tree.dependencies).map(([each, { version }]) => [each, version]);
    expect(Object.fromEntries(versions)).toEqual(project.dependencies);
  });

  test("has no native module, so that nothing in it depends on where it was built", () => {
    expect(files.filter(({ path }) => path.endsWith(".node"))).toEqual([]);
  });

  test("has the licences: ours, that of Node, and those of the packages", () => {
    expect(readFileSync(join(image.root, "app", "LICENSE"), "utf8")).toBe(readFileSync(join(ROOT, "LICENSE"), "utf8"));
    expect(existsSync(join(image.root, "usr", "share", "doc", "node", "LICENSE"))).toBe(true);
    const licensed = (root: string) =>
      readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) => /(?:^|\/)licen[cs]e[^/]*$/i.test(path));
    const modules = licensed(join(image.root, "app", "node_modules")).filter((path) => !/\.[cm]?[jt]s$/.test(path));
    const checkout = licensed(join(ROOT, "node_modules", "@grpc"));
    expect(modules.length).toBeGreaterThan(250);
    expect(modules).toEqual(expect.arrayContaining(checkout.map((path) => join("@grpc", path))));
  });

  test("is small", () => {
    const bytes = files
      .filter(({ path }) => path.startsWith("/app/") || path.startsWith("/usr/"))
      .reduce((sum, file) => sum + file.bytes, 0);
    console.log(`${name}: ${(bytes / 1e6).toFixed(1)} MB beside its base`);
    expect(bytes).toBeLessThan(MOST_BYTES);
    expect(bytes).toBeGreaterThan(MOST_BYTES / 2);
  });

  test("runs as a user of a number that owns nothing but its data, and may write nowhere else", () => {
    const [user, group] = image.config.user.split(":").map(Number);
    expect(user).toBeGreaterThan(10_000);
    expect(group).toBeGreaterThan(10_000);
    const open = files.filter(({ mode }) => (mode & 0o170000) !== 0o120000 && (mode & 0o002) !== 0);
    expect(open.map(({ path }) => path)).toEqual(["/tmp"]);
    if (isolates) {
      const own = files.filter(({ uid }) => uid === user).map(({ path }) => path);
      expect(own).toEqual(name === "service" ? ["/data"] : []);
    }
  });

  test("says what it is", () => {
    const label = (key: string) => image.config.labels[`org.opencontainers.image.${key}`];
    expect(label("title")).toBe(`viewmill-${name}`);
    expect(label("version")).toBe(project.version);
    expect(label("revision")).toBe("0123abc");
    expect(label("licenses")).toBe("Apache-2.0");
  });
});

test("the lockfile names what is only for development", () => {
  expect(developmentPackages).toEqual(
    expect.arrayContaining(["vitest", "typescript", "@biomejs/biome"].map((name) => `node_modules/${name}`)),
  );
});

test.each([
  "/app/dist/.env",
  "/app/.npmrc",
  "/app/server.pem",
  "/app/.git/HEAD",
  "/app/dist/cli/main.js.map",
  "/app/node_modules/long/index.d.ts",
  "/app/dist/test/bad.test.js",
  "/app/scripts/setup.mjs",
  "/app/node_modules/.bin/tsc",
  "/app/node_modules/typescript/package.json",
  "/bin/sh",
])("%s in an image would be found", (path) => {
  expect(misplaced([path], ["node_modules/typescript"])).toHaveLength(1);
});

describe("the worker's image, started by the container contract", () => {
  const MODULES = ["viewmill/dist/pipelines/stream/stream-pipeline", "viewmill/dist/pipelines/audit/cluster-audit"];

  async function withRunner(
    given: { modules?: string[]; siblings?: string[]; workerSettings?: object },
    flags: (id: string) => string[],
    use: (worker: BootedWorker, control: ControlServer, provision: ProvisionServer) => Promise<void>,
  ): Promise<void> {
    const control = await ControlServer.start();
    const { modules = MODULES, siblings: siblingWorkerIds = [] } = given;
    const options = { options: { registered_node_modules: modules } };
    const provision = await ProvisionServer.start({ controlEndpoint: control.endpoint, siblingWorkerIds, options });
    const rest = ["logging", "artifact", "control"].map((each) => `--${each}_endpoint=${control.endpoint}`);
    const all = [...flags("1-1"), ...rest, `--provision_endpoint=${provision.endpoint}`];
    const worker = new BootedWorker(all, {}, containerCommand(images.worker));
    try {
      await use(worker, control, provision);
    } finally {
      if (worker.end === undefined) worker.kill("SIGKILL");
      control.stop();
      provision.stop();
    }
  }

  test.each<[string, (id: string) => string[]]>([
    ["--id=1-1", (id) => [`--id=${id}`]],
    ["--id 1-1", (id) => ["--id", id]],
    ["--id='1-1', with the quotes", (id) => [`--id='${id}'`]],
    ["-id 1-1", (id) => ["-id", id]],
  ])(
    "connects as the worker that %s names, with the modules of the graph, and ends with its control channel",
    async (_flag, flags) => {
      await withRunner({}, flags, async (worker, control, provision) => {
        await until("the control channel", () => control.calls.has("1-1") || worker.end !== undefined, DEADLINE_MS);
        expect(provision.askedBy).toEqual(["1-1"]);
        control.calls.get("1-1")?.end();
        expect(await worker.ended(DEADLINE_MS)).toBe("0");
        expect(worker.atLeast(60)).toEqual([]);
      });
    },
  );

  test("starts its siblings, and SIGTERM ends all of them in order", async () => {
    await withRunner(
      { siblings: ["1-2", "1-3"] },
      (id) => ["--id", id],
      async (worker, control) => {
        await until("the control channels", () => control.calls.size === 3 || worker.end !== undefined, DEADLINE_MS);
        const connected = () => worker.log.filter(({ msg }) => msg === "worker connected");
        await until("the log of all", () => connected().length === 3, DEADLINE_MS);
        worker.kill("SIGTERM");
        expect(await worker.ended(DEADLINE_MS)).toBe("0");
        for (const { pid } of connected()) expect(isAlive(pid!)).toBe(false);
      },
    );
  });

  test.each<[string, string[], string[], RegExp]>([
    ["a graph of another version", ["viewmill/dist/no/such/module"], ["--id=1-1"], /Cannot find module/],
    ["a module by its path", ["../../etc/passwd"], ["--id=1-1"], /is not the name of a module/],
    ["no id", MODULES, [], /--id is missing/],
  ])("ends with code 1 and one line that says why: %s", async (_what, modules, flags, why) => {
    await withRunner(
      { modules },
      () => flags,
      async (worker) => {
        expect(await worker.ended(DEADLINE_MS)).toBe("1");
        expect(worker.atLeast(60).join()).toMatch(why);
      },
    );
  });
});

describe("the service's image", () => {
  const mounts = () => ({ "/data": join(folder, "data") });
  const options = (environment: Record<string, string> = {}) => ({ mounts: mounts(), environment });

  /** One service after the other: each finds the data of the one before. */
  async function serving(use: (url: string, container: Container, port: number) => Promise<void>): Promise<void> {
    const port = await freePort();
    const environment = {
      VIEWMILL_HTTP_PORT: String(port),
      VIEWMILL_AUDIT_ENABLED: "false",
      VIEWMILL_HTTP_INSECURE: "true",
    };
    const container = new Container(images.service, images.service.config.command, options(environment));
    try {
      const ready = () => container.stdout.includes(`viewmill listening on http://0.0.0.0:${port}`);
      await until(`the service: ${container.stderr}`, ready, DEADLINE_MS);
      await use(`http://127.0.0.1:${port}`, container, port);
    } finally {
      container.kill("SIGKILL");
      await container.ended;
    }
  }

  beforeAll(() => {
    mkdirSync(join(folder, "data"));
    giveTo(images.service, join(folder, "data"));
  });

  test("shows its help, and says its version", async () => {
    const { code, stdout } = await runContainer(images.service, ["--help"]);
    expect(code).toBe(0);
    for (const command of ["serve", "archive", "audit", "worker-pool", "pipeline"])
      expect(stdout).toContain(`  ${command} `);
    expect(await runContainer(images.service, ["--version"])).toMatchObject({
      code: 0,
      stdout: `${project.version}\n`,
    });
  });

  test("refuses to serve beyond loopback without keys, in one line", async () => {
    const { code, stderr } = await runContainer(images.service, images.service.config.command, options());
    expect([code, stderr.trim().split("\n").length]).toEqual([1, 1]);
    expect(stderr).toContain("has no keys");
  });

  test("serves by default: an event in, its count out, healthy meanwhile; SIGTERM ends it in order", async () => {
    await serving(async (url, container, port) => {
      const healthy = async () => {
        const { command: entrypoint } = images.service.config.healthCheck!;
        const environment = { VIEWMILL_HTTP_PORT: String(port) };
        return (await runContainer(images.service, [], { ...options(environment), entrypoint })).code;
      };
      expect(await healthy()).toBe(0);
      const body = JSON.stringify({ eventId: "e-1", videoId: "cats-42", eventType: "VIEW", eventTime: Date.now() });
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${url}/v1/events`, { method: "POST", headers, body });
      expect([answer.status, await answer.json()]).toEqual([202, { accepted: 1, rejected: [] }]);
      const count = async () => {
        const video = (await (await fetch(`${url}/v1/videos/cats-42`)).json()) as {
          totals: { VIEW?: { count: number } };
        };
        return video.totals.VIEW?.count;
      };
      await until("the count", async () => (await count()) === 1, DEADLINE_MS);
      const asked = performance.now();
      container.kill("SIGTERM");
      expect(await container.ended).toMatchObject({ code: 0 });
      expect(performance.now() - asked).toBeLessThan(20_000);
      expect(await healthy()).toBe(1);
    });
  });

  test("audits as a job does: the archive and the counters are equal, and the exit code says so", async () => {
    const { code, stdout, stderr } = await runContainer(images.service, ["audit", "--json"], options());
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "equal", objectsRead: 1, events: 1 });
    expect(readdirSync(join(folder, "data", "audits"))).toHaveLength(1);
  });

  test("audits with exit code 4 what it cannot compare", async () => {
    const archive = join(folder, "data", "archive");
    const [object] = readdirSync(archive, { recursive: true, encoding: "utf8" }).filter((path) =>
      path.endsWith(".avro"),
    );
    writeFileSync(join(archive, object!), "not an archive object");
    expect((await runContainer(images.service, ["audit"], options())).code).toBe(4);
  });

  test("ends with code 1 and one line when its configuration is wrong", async () => {
    const { code, stderr } = await runContainer(images.service, ["serve"], options({ VIEWMILL_HTTP_PROT: "1" }));
    expect(code).toBe(1);
    expect(stderr).toBe("viewmill: environment: unknown variable VIEWMILL_HTTP_PROT\n");
  });

  test("finds nothing of this machine", async () => {
    const look =
      "process.stdout.write(JSON.stringify({ uid: process.getuid(), env: process.env, there: require('fs').existsSync(process.argv[1]) }))";
    const entrypoint = ["/usr/local/bin/node", "-e", look, "--", ROOT];
    const { stdout } = await runContainer(images.service, [], { entrypoint });
    const seen = JSON.parse(stdout) as { uid: number; env: object; there: boolean };
    expect(seen.env).toEqual({ ...images.service.config.environment });
    if (isolates) expect(seen).toMatchObject({ uid: 65_532, there: false });
    expect(seen.env).not.toHaveProperty(bootVariable);
  });
});
