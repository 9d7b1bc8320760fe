// SPDX-License-Identifier: Apache-2.0
/** Recipes for the servers that are programs of Go. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Recipe, runTool } from "./cache";

/**
 * For emulators: Go collects garbage whenever its small heap has doubled, which was a quarter of the CPU time of
 * Bigtable's emulator.
 */
export const RARE_COLLECTION = { GOGC: "800" };

/** A module's command of one version, which needs nothing else. */
export const goInstallRecipe = (name: string, module: string, version: string): Recipe => ({
  name,
  version,
  inputs: module,
  build: (folder) => goInstall(`${module}@${version}`, folder),
});

/** `go install` of a module's command; the program is `<folder>/<last part of its path>`, without a major version. */
async function goInstall(module: string, folder: string): Promise<void> {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  await runTool("go", ["install", module], { cwd: folder, env: { GOFLAGS: "-buildvcs=false", GOBIN: bin } });
  const program = basename(module.slice(0, module.indexOf("@")).replace(/\/v\d+$/, ""));
  renameSync(join(bin, program), join(folder, program));
  rmSync(bin, { recursive: true });
}

/** Builds one source file into `<folder>/<name>`; `requires` are modules with their versions, as go.mod has them. */
export async function goBuild(
  name: string,
  source: string,
  requires: readonly string[],
  folder: string,
): Promise<void> {
  const work = join(folder, "source");
  mkdirSync(work);
  const lines = requires.map((each) => `require ${each}`);
  writeFileSync(join(work, "go.mod"), `module ${name}\n\ngo 1.25\n\n${lines.join("\n")}\n`);
  writeFileSync(join(work, "main.go"), source);
  const env = { GOFLAGS: "-buildvcs=false -mod=mod" };
  await runTool("go", ["build", "-o", join(folder, name), "."], { cwd: work, env });
}
