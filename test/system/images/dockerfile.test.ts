// SPDX-License-Identifier: Apache-2.0
/** Our Dockerfile under hadolint; and the stand-in for a container engine, which must refuse what it does not do. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { MAX_SEMI_SPACE_MB, workerNodeArgs } from "../../../cli/programs/worker-node-args";
import { lintDockerfile } from "../../../servers/hadolint";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { BUILD_BASE, DOCKERFILE, openFolder, ROOT, RUNTIME_BASE, removeFolder } from "./base-images";
import { readDockerfile } from "./dockerfile";
import { type Image, ImageBuild } from "./image-build";
import { projectBuild } from "./project-images";

let folder = "";
beforeEach(() => {
  folder = openFolder("dockerfile");
});
afterEach(() => removeFolder(folder), 60_000);

describeWithServers("hadolint", ["hadolint"], () => {
  test("finds nothing in the Dockerfile, and it can find", { timeout: COLD_START_MS }, async () => {
    expect(await lintDockerfile(DOCKERFILE)).toEqual([]);
    const bad = "FROM node:latest\n# hadolint ignore=DL3020\nADD package.json .\nRUN cd /tmp && sudo npm ci\n";
    const codes = (await lintDockerfile(bad)).map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(["DL3007", "DL3020", "DL3003", "DL3004"]));
  });
});

describe("the stand-in for a container engine", () => {
  async function build(text: string, options: { target?: string; ignored?: string } = {}): Promise<Image> {
    const [context, base] = [join(folder, "context"), join(folder, "base")];
    for (const each of [join(context, "sources", "deep"), base]) mkdirSync(each, { recursive: true });
    writeFileSync(join(context, "one.txt"), "one");
    writeFileSync(join(context, "sources", "deep", "two.txt"), "two");
    const build = new ImageBuild({
      dockerfile: text,
      ignored: options.ignored ?? "",
      contextFolder: context,
      bases: { "base:1": base },
      workFolder: join(folder, "built"),
    });
    return build.target(options.target ?? "last");
  }

  const content = ({ root }: Image, path: string): string => readFileSync(join(root, path), "utf8");

  test("does what the steps say: folders, copies, variables, commands, what a later stage takes over", async () => {
    const image = await build(`
      ARG NAME=base:1
      FROM \${NAME} AS first
      ARG GREETING=hello
      ENV WHO=world
      WORKDIR /work
      COPY one.txt ./
      COPY sources here/
      RUN ["sh", "-c", "printf '%s %s' $GREETING $WHO > said"]
      FROM base:1 AS last
      COPY --from=first /work/said /work/here/deep/two.txt /taken/
      LABEL a="x" b="y"
      USER 7:7
      ENTRYPOINT ["/program"]`);
    expect(content(image, "taken/said")).toBe("hello world");
    expect(content(image, "taken/two.txt")).toBe("two");
    expect(existsSync(join(image.root, "work"))).toBe(false);
    expect(image.config).toMatchObject({ environment: {}, labels: { a: "x", b: "y" }, user: "7:7" });
    expect(image.config.entrypoint).toEqual(["/program"]);
  });

  test("copies nothing that .dockerignore leaves out", async () => {
    const text = "FROM base:1 AS last\nCOPY sources /sources/";
    await expect(build(text, { ignored: "*" })).rejects.toThrow(/COPY sources: not found/);
    const image = await build(text, { ignored: "*\n!sources\nsources/deep" });
    expect(existsSync(join(image.root, "sources"))).toBe(true);
    expect(existsSync(join(image.root, "sources", "deep"))).toBe(false);
  });

  test.each([
    ["an unknown instruction", "FROM base:1 AS last\nADD one.txt /", /ADD is not known/],
    ["a shell command", "FROM base:1 AS last\nRUN echo hello", /exec form/],
    ["a flag of COPY", "FROM base:1 AS last\nCOPY --link one.txt /", /COPY with link/],
    ["a pattern", "FROM base:1 AS last\nCOPY *.txt /", /patterns/],
    ["a stage without a name", "FROM base:1", /without a name/],
    ["an image that nothing stands for", "FROM other:1 AS last", /no folder stands for the image other:1/],
    ["a variable that is not set", "FROM base:1 AS last\nWORKDIR /$WHERE", /\$\{WHERE\} is not set/],
    ["a file that is not there", "FROM base:1 AS last\nCOPY three.txt /", /COPY three.txt: not found/],
    ["a stage that comes later", "FROM base:1 AS last\nCOPY --from=next /x /\nFROM base:1 AS next", /no such stage/],
    ["a command that fails", 'FROM base:1 AS last\nRUN ["sh", "-c", "echo why; exit 3"]', /exit status 3[\s\S]*why/],
    ["a directive", "# escape=`\nFROM base:1 AS last", /directives/],
  ])("refuses %s", async (_what, text, message) => {
    await expect(build(text)).rejects.toThrow(message);
  });

  test("refuses a command that changes in place what another stage shares", async () => {
    const text = `FROM base:1 AS first\nCOPY one.txt /\nFROM first AS last\nRUN ["sh", "-c", "echo more >> one.txt"]`;
    await expect(build(text)).rejects.toThrow(/RUN changed .*one.txt/);
  });
});

describe("docker/cloudbuild.yaml", () => {
  const { steps, images, substitutions } = parse(readFileSync(join(ROOT, "docker", "cloudbuild.yaml"), "utf8")) as {
    steps: { args: string[] }[];
    images: string[];
    substitutions: Record<string, string>;
  };
  const valuesOf = (args: readonly string[], flag: string) =>
    args.flatMap((each, at) => (each === flag ? [args[at + 1]!] : []));

  test("builds both targets as releases, with arguments that the Dockerfile has, and pushes what it builds", () => {
    const { stages, globals } = readDockerfile(DOCKERFILE);
    const known = new Set([
      ...Object.keys(globals),
      ...stages.flatMap(({ steps }) => steps.flatMap((step) => (step.kind === "ARG" ? [step.name] : []))),
    ]);
    expect(steps.flatMap(({ args }) => valuesOf(args, "--target"))).toEqual(["worker", "service"]);
    expect(steps.flatMap(({ args }) => valuesOf(args, "--tag"))).toEqual(images);
    for (const { args } of steps) {
      const given = valuesOf(args, "--build-arg").map((each) => each.split("=")[0]!);
      expect(given).toEqual(["RELEASE", "BUILD_BASE", "RUNTIME_BASE", "REVISION"]);
      expect(given.filter((name) => !known.has(name))).toEqual([]);
    }
  });

  test("uses every substitution it names, and no other: Cloud Build refuses both", () => {
    const used = [...JSON.stringify({ steps, images }).matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name);
    expect([...new Set(used)].sort()).toEqual(Object.keys(substitutions).sort());
  });
});

test("a worker has the same young generation in the image, as a process, and in a pool", () => {
  const flag = `--max-semi-space-size=${MAX_SEMI_SPACE_MB}`;
  const worker = readDockerfile(DOCKERFILE).stages.find(({ name }) => name === "worker")!;
  const [entrypoint] = worker.steps.flatMap((step) => (step.kind === "ENTRYPOINT" ? [step.command] : []));
  expect(entrypoint).toEqual(["/usr/local/bin/node", flag, "/app/dist/cli/programs/worker-boot.js"]);
  expect(readFileSync(join(ROOT, "scripts", "worker-boot.sh"), "utf8")).toContain(`\${WORKER_NODE_ARGS:-${flag}}`);
  expect(workerNodeArgs({ maxOldSpaceMb: 1, maxSemiSpaceMb: MAX_SEMI_SPACE_MB })).toContain(flag);
});

describe("the bases of the images", () => {
  const digest = `@sha256:${"0".repeat(64)}`;

  test("are tags by default, of the Node that package.json pins", () => {
    const { node } = (require(join(ROOT, "package.json")) as { dependencies: { node: string } }).dependencies;
    expect(readDockerfile(DOCKERFILE).globals).toEqual({ BUILD_BASE, RUNTIME_BASE });
    expect(BUILD_BASE).toContain(`node:${node}-`);
  });

  test("a release is not built on tags", { timeout: COLD_START_MS }, async () => {
    const built = projectBuild(folder, { RELEASE: "true" }).target("compiled");
    await expect(built).rejects.toThrow(`not ${BUILD_BASE} and ${RUNTIME_BASE}`);
  });

  test.each<[Record<string, string>, number]>([
    [{ RELEASE: "true", BUILD_BASE: `a:1${digest}`, RUNTIME_BASE: `b${digest}` }, 0],
    [{ RELEASE: "true", BUILD_BASE: `a:1${digest}`, RUNTIME_BASE: "b:1" }, 1],
    [{ RELEASE: "true", BUILD_BASE: `a:1${digest.slice(0, -1)}`, RUNTIME_BASE: `b${digest}` }, 1],
    [{ RELEASE: "true" }, 1],
    [{ RELEASE: "false", BUILD_BASE: "a:1", RUNTIME_BASE: "b:1" }, 0],
  ])("the step that looks at them, with %j, ends with %i", (env, code) => {
    const step = [join(ROOT, "scripts", "image-tree.mjs"), "check-bases"];
    expect(spawnSync(process.execPath, step, { env }).status).toBe(code);
  });
});
