// SPDX-License-Identifier: Apache-2.0
/**
 * Builds an image's file tree without a container engine: the steps of a Dockerfile, done in folders. Base images are
 * folders that the caller gives; commands of RUN run on this machine, in the stage's folder, with the stage's programs
 * first on the path.
 */
import { createHash } from "node:crypto";
import { chmodSync, cpSync, existsSync, lchownSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, delimiter, join, posix, relative } from "node:path";
import ignoring from "@balena/dockerignore";
import { installed, runTool } from "../../../servers/cache";
import {
  DockerfileError,
  type DockerfilePlan,
  type HealthCheck,
  readDockerfile,
  type Stage,
  type Step,
} from "./dockerfile";

interface ImageConfig {
  readonly environment: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly user: string;
  readonly workingFolder: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly ports: readonly string[];
  readonly healthCheck: HealthCheck | undefined;
}

export interface Image {
  /** The folder that is the image's `/`. */
  readonly root: string;
  readonly config: ImageConfig;
}

interface BuildOptions {
  readonly dockerfile: string;
  /** The content of .dockerignore, whose paths cannot be copied. */
  readonly ignored: string;
  readonly contextFolder: string;
  /** Folders that stand for base images, by the name after FROM. */
  readonly bases: Readonly<Record<string, string>>;
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Stages that are kept for the next build, as an engine keeps its layers: they copy few files and take long. */
  readonly keptStages?: readonly string[];
  /** The folder in which the others are built. */
  readonly workFolder: string;
}

const EMPTY: ImageConfig = {
  environment: {},
  labels: {},
  user: "0:0",
  workingFolder: "/",
  entrypoint: [],
  command: [],
  ports: [],
  healthCheck: undefined,
};

export class ImageBuild {
  private readonly plan: DockerfilePlan;
  private readonly built = new Map<string, Promise<Image>>();
  private readonly leavesOut: (path: string) => boolean;

  constructor(private readonly options: BuildOptions) {
    this.plan = readDockerfile(options.dockerfile);
    const rules = ignoring().add(options.ignored.split("\n"));
    this.leavesOut = (path) => path !== "" && rules.ignores(path);
  }

  target(name: string): Promise<Image> {
    const at = this.plan.stages.findIndex((stage) => stage.name === name);
    if (at < 0) throw new DockerfileError(`there is no stage ${name}`);
    let image = this.built.get(name);
    if (image === undefined) {
      image = this.build(this.plan.stages[at]!, this.plan.stages.slice(0, at));
      this.built.set(name, image);
    }
    return image;
  }

  private async build(stage: Stage, earlier: readonly Stage[]): Promise<Image> {
    const { bases, workFolder, keptStages = [] } = this.options;
    const globals = { ...this.plan.globals, ...this.options.buildArgs };
    const baseName = resolved(stage.base, globals);
    const isStage = earlier.some((each) => each.name === baseName);
    const baseRoot = bases[baseName];
    if (!isStage && baseRoot === undefined) throw new DockerfileError(`no folder stands for the image ${baseName}`);
    const base = isStage ? await this.target(baseName) : { root: baseRoot!, config: EMPTY };
    const build = new StageBuild(base.config, globals, this.options, this.leavesOut, (name) => {
      if (!earlier.some((each) => each.name === name)) throw new DockerfileError(`COPY --from=${name}: no such stage`);
      return this.target(name);
    });
    const changesFiles = stage.steps.some(({ kind }) => ["COPY", "RUN", "WORKDIR"].includes(kind));
    if (!changesFiles) return { root: base.root, config: await build.run(stage.steps, base.root) };
    const fill = async (root: string, how: Copying) => {
      await copyTree(base.root, root, how);
      return build.run(stage.steps, root);
    };
    if (!keptStages.includes(stage.name)) {
      const root = join(workFolder, stage.name);
      return { root, config: await fill(root, "linked") };
    }
    // A folder stands for an image of any digest.
    const from = isStage ? basename(base.root) : baseName.replace(/@.*$/, "");
    const inputs = `${from} ${JSON.stringify(stage.steps)} ${this.contentOf(stage.steps)}`;
    const recipe = { name: `image-${stage.name}`, version: process.versions.node, inputs };
    const root = await installed({ ...recipe, build: async (folder) => void (await fill(folder, "apart")) });
    // The steps of a kept stage are known to change files only, beside what its config says again here.
    return {
      root,
      config: await build.run(
        stage.steps.filter(({ kind }) => !["COPY", "RUN"].includes(kind)),
        root,
      ),
    };
  }

  private contentOf(steps: readonly Step[]): string {
    const hash = createHash("sha256");
    for (const step of steps) {
      if (step.kind !== "COPY" || step.from !== undefined) continue;
      for (const source of step.sources) hash.update(readFileSync(join(this.options.contextFolder, source)));
    }
    return hash.digest("hex");
  }
}

class StageBuild {
  private readonly variables: Record<string, string>;
  private config: ImageConfig;

  constructor(
    base: ImageConfig,
    private readonly globals: Readonly<Record<string, string>>,
    private readonly options: BuildOptions,
    private readonly leavesOut: (path: string) => boolean,
    private readonly stage: (name: string) => Promise<Image>,
  ) {
    this.config = base;
    this.variables = { ...base.environment };
  }

  async run(steps: readonly Step[], root: string): Promise<ImageConfig> {
    for (const step of steps) await this.step(step, root);
    return this.config;
  }

  private text = (text: string): string => resolved(text, this.variables);

  private texts = (entries: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, this.text(value)]));

  private async step(step: Step, root: string): Promise<void> {
    switch (step.kind) {
      case "ARG": {
        const value = this.options.buildArgs?.[step.name] ?? step.value ?? this.globals[step.name];
        if (value !== undefined) this.variables[step.name] = this.text(value);
        return;
      }
      case "ENV": {
        const entries = this.texts(step.entries);
        Object.assign(this.variables, entries);
        this.config = { ...this.config, environment: { ...this.config.environment, ...entries } };
        return;
      }
      case "LABEL":
        this.config = { ...this.config, labels: { ...this.config.labels, ...this.texts(step.entries) } };
        return;
      case "WORKDIR":
        this.config = {
          ...this.config,
          workingFolder: posix.resolve(this.config.workingFolder, this.text(step.value)),
        };
        mkdirSync(join(root, this.config.workingFolder), { recursive: true });
        return;
      case "USER":
        this.config = { ...this.config, user: this.text(step.value) };
        return;
      case "EXPOSE":
        this.config = { ...this.config, ports: [...this.config.ports, this.text(step.value)] };
        return;
      case "ENTRYPOINT":
        // It resets the base's CMD.
        this.config = { ...this.config, entrypoint: step.command, command: [] };
        return;
      case "CMD":
        this.config = { ...this.config, command: step.command };
        return;
      case "HEALTHCHECK":
        this.config = { ...this.config, healthCheck: { options: step.options, command: step.command } };
        return;
      case "COPY":
        return this.copy(step, root);
      case "RUN":
        return this.execute(step.command, root);
      default:
        throw new DockerfileError(`${JSON.stringify(step satisfies never)} is not known here`);
    }
  }

  private async execute([program, ...args]: readonly string[], root: string): Promise<void> {
    const path = [join(root, "usr", "local", "bin"), process.env.PATH].join(delimiter);
    // `npm test` tells what it starts where its project is; the npm in here is another one's. It takes an empty setting
    // for none.
    const env = { npm_config_local_prefix: "", ...this.variables, PATH: path };
    const before = sharedFiles(root);
    await runTool(program!, args, { cwd: join(root, this.config.workingFolder), env });
    for (const [path, state] of sharedFiles(root)) {
      const was = before.get(path);
      if (was !== undefined && was !== state)
        throw new Error(`RUN changed ${path}, which another stage shares: keep them apart`);
    }
  }

  private async copy(step: Step & { kind: "COPY" }, root: string): Promise<void> {
    const target = this.text(step.destination);
    const destination = join(root, posix.resolve(this.config.workingFolder, target));
    const isFolder = target.endsWith("/") || step.sources.length > 1;
    const from = step.from === undefined ? undefined : (await this.stage(step.from)).root;
    for (const source of step.sources) {
      const path = join(from ?? this.options.contextFolder, this.text(source));
      const leftOut = (each: string) =>
        from === undefined && this.leavesOut(relative(this.options.contextFolder, each));
      if (!existsSync(path) || this.isEmptyOf(path, leftOut)) throw new DockerfileError(`COPY ${source}: not found`);
      const isFile = statSync(path).isFile();
      if (from !== undefined && !isFile) {
        await copyTree(path, destination, "linked");
        continue;
      }
      const into = isFile && isFolder ? join(destination, basename(path)) : destination;
      // A folder that exists keeps its own mode.
      cpSync(path, into, { recursive: true, verbatimSymlinks: true, filter: (each) => !leftOut(each) });
      if (isFile) chmodSync(into, statSync(path).mode);
    }
    if (step.owner !== undefined && process.getuid?.() === 0) own(destination, step.owner);
  }

  private isEmptyOf(path: string, leftOut: (path: string) => boolean): boolean {
    if (statSync(path).isFile()) return leftOut(path);
    return (
      leftOut(path) &&
      readdirSync(path, { recursive: true, encoding: "utf8" }).every((each) => leftOut(join(path, each)))
    );
  }
}

/** "linked": files are the same ones, which is many times as fast, and fails when a step changes one in place. */
type Copying = "linked" | "apart";

async function copyTree(from: string, to: string, how: Copying): Promise<void> {
  mkdirSync(to, { recursive: true });
  const copy = how === "linked" ? 'cp -al "$1/." "$2/" 2>/dev/null || cp -a "$1/." "$2/"' : 'cp -a "$1/." "$2/"';
  await runTool("sh", ["-c", copy, "copy", from, to], { cwd: "/" });
}

/** Files with another name elsewhere, and their state. */
function sharedFiles(root: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { nlink, size, mtimeMs } = statSync(path);
    if (nlink > 1) found.set(path, `${size} ${mtimeMs}`);
  }
  return found;
}

/** `${NAME}` and `$NAME`; one that is not set is a mistake here, not an empty text. */
function resolved(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$(?:\{([^}]*)\}|(\w+))/g, (_all, inBraces: string | undefined, plain: string | undefined) => {
    const name = inBraces ?? plain ?? "";
    const value = variables[name];
    if (value === undefined) throw new DockerfileError(`\${${name}} is not set`);
    return value;
  });
}

function own(folder: string, owner: string): void {
  const [user, group] = owner.split(":").map(Number);
  if (!Number.isInteger(user) || !Number.isInteger(group))
    throw new DockerfileError(`--chown=${owner}: numbers are wanted`);
  for (const each of [".", ...readdirSync(folder, { recursive: true, encoding: "utf8" })]) {
    lchownSync(join(folder, each), user!, group!);
  }
}
