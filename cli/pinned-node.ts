// SPDX-License-Identifier: Apache-2.0
/**
 * Chooses the Node that runs the commands: the one that package.json pins (its dependency `node`), or a newer one.
 * Loads nothing that an older Node lacks. cli/main.ts asks it before it loads any command.
 */
import { spawn } from "node:child_process";
import { accessSync, constants, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const;
/** A shell adds this to the number of the signal that ended a program. */
const SIGNAL_STATUS = 128;
const SIGNAL_NUMBERS: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGTERM: 15,
};

/** Returns undefined where this Node is new enough, otherwise the Node to use, or why there is none. */
export function otherNode(): { node: string } | { problem: string } | undefined {
  const manifest = readFileSync(join(__dirname, "..", "..", "package.json"), "utf8");
  const wanted = Number((JSON.parse(manifest) as { dependencies: { node: string } }).dependencies.node.split(".")[0]);
  const running = process.versions.node;
  if (Number(running.split(".")[0]) >= wanted) return undefined;
  const node = pinnedNode();
  if (node !== undefined && realpathSync(node) !== realpathSync(process.execPath)) return { node };
  return {
    problem:
      `Node ${wanted} or newer is needed, and this is ${running} (${process.execPath}). ` +
      `The package "node", a dependency that brings Node ${wanted}, is not installed whole: npm rebuild node`,
  };
}

/** Returns the program of the package `node`, which npm installs beside this package or above it. */
function pinnedNode(): string | undefined {
  try {
    const folder = join(dirname(require.resolve("node/package.json")), "bin");
    const program = join(folder, process.platform === "win32" ? "node.exe" : "node");
    accessSync(program, constants.X_OK);
    return program;
  } catch {
    return undefined;
  }
}

/** Runs the same command by another Node, with this process's files and signals, and ends as that process ends. */
export function runByOtherNode(node: string, args: readonly string[]): void {
  const child = spawn(node, args, { stdio: "inherit" });
  for (const signal of FORWARDED) process.on(signal, () => void child.kill(signal));
  child.once("error", (error) => {
    process.stderr.write(`viewmill: ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.once("exit", (code, signal) =>
    process.exit(code ?? SIGNAL_STATUS + (SIGNAL_NUMBERS[signal as NodeJS.Signals] ?? 1)),
  );
}
