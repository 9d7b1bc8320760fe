// SPDX-License-Identifier: Apache-2.0
/**
 * Runs an image's program as a container engine would: its ENTRYPOINT, environment and user, and nothing else of this
 * machine. As root that is a change of root in a mount namespace of its own; where that is not allowed, the same files
 * under their longer names, as the user of the tests.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Image } from "./image-build";

/** Folders of this machine by the path at which the program finds them. */
type Mounts = Readonly<Record<string, string>>;

export interface ContainerOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly mounts?: Mounts;
  /** Instead of the image's entry point, as for a health check. */
  readonly entrypoint?: readonly string[];
}

export const isolates: boolean =
  process.getuid?.() === 0 && spawnSync("unshare", ["--mount", "true"], { stdio: "ignore" }).status === 0;

/** root, user, count of mounts, then pairs of folder and path, then the command. */
const ENTER = `
root=$1 user=$2 mounts=$3; shift 3
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
while [ "$mounts" -gt 0 ]; do mount --bind "$1" "$root$2"; mounts=$((mounts - 1)); shift 2; done
exec /usr/bin/env -i "$@"
`;

/**
 * The command that runs it, the same with flags behind it. The process that is started becomes the program: signals
 * reach it, its end is the program's.
 */
export function containerCommand(image: Image, options: ContainerOptions = {}): [string, ...string[]] {
  const { environment = {}, mounts = {}, entrypoint = image.config.entrypoint } = options;
  const variables = Object.entries({ ...image.config.environment, ...environment });
  const assignments = variables.map(([name, value]) => `${name}=${value}`);
  if (!isolates) {
    const inTree = (path: string) => (path.startsWith("/") ? join(image.root, path) : path);
    const program = entrypoint.map(inTree);
    return ["env", "-i", "-C", "/", ...assignments.map((each) => withFolders(each, mounts)), ...program];
  }
  for (const path of Object.keys(mounts)) mkdirSync(join(image.root, path), { recursive: true });
  const pairs = Object.entries(mounts).flatMap(([path, folder]) => [folder, path]);
  const enter = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", ENTER, "enter"] as const;
  const { user } = image.config;
  const change = ["chroot", `--userspec=${user}`, "--groups=", image.root];
  const count = String(pairs.length / 2);
  return [...enter, image.root, user, count, ...pairs, ...assignments, ...chroot(change), ...entrypoint];
}

/** `env -i` has no path to look on. */
function chroot([, ...args]: readonly string[]): string[] {
  return [CHROOT, ...args];
}

const CHROOT = spawnSync("sh", ["-c", "command -v chroot || echo /usr/sbin/chroot"], {
  encoding: "utf8",
}).stdout.trim();

/** Without a mount, a setting that names a mounted path names its folder. */
function withFolders(assignment: string, mounts: Mounts): string {
  return Object.entries(mounts).reduce((text, [path, folder]) => text.replaceAll(path, folder), assignment);
}

/** The path at which the program finds a mounted folder. */
export const pathInside = (path: string, mounts: Mounts): string => (isolates ? path : (mounts[path] ?? path));

/** Gives a folder to the image's user. */
export function giveTo({ config }: Image, folder: string): void {
  if (!isolates) return;
  const [user, group] = config.user.split(":").map(Number);
  chownSync(folder, user!, group!);
}

/** A program that runs the container with the flags it is given, for a runner that starts processes. */
export function containerScript(file: string, image: Image, options: ContainerOptions): void {
  const quoted = containerCommand(image, options).map((part) => `'${part.replaceAll("'", "'\\\\''")}'`);
  writeFileSync(file, `#!/bin/sh\nexec ${quoted.join(" ")} "$@"\n`);
  chmodSync(file, 0o755);
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A container that runs: what it printed so far, and its end. */
export class Container {
  stdout = "";
  stderr = "";
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;

  constructor(image: Image, args: readonly string[], options: ContainerOptions = {}) {
    const [command, ...rest] = containerCommand(image, options);
    this.child = spawn(command, [...rest, ...args], { cwd: "/", stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** Runs a container to its end. */
export const runContainer = (image: Image, args: readonly string[], options: ContainerOptions = {}): Promise<Ended> =>
  new Container(image, args, options).ended;
