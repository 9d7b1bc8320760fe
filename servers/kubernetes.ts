// SPDX-License-Identifier: Apache-2.0
/** The published schemas of Kubernetes, with the program that checks resources by them; no server. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { installed, type Recipe } from "./cache";
import { withPythonPackages } from "./python-packages";
import { VERSIONS } from "./versions";

const recipe: Recipe = {
  name: "kubernetes-validate",
  version: VERSIONS.kubernetesValidate,
  inputs: "",
  build: async (folder) => {
    const packages = [
      "--no-compile",
      "--target",
      join(folder, "packages"),
      `kubernetes-validate==${VERSIONS.kubernetesValidate}`,
    ];
    await withPythonPackages(folder, packages);
  },
};

/** Returns the errors of a file of resources by the schemas of this version of Kubernetes, unknown fields included. */
export async function kubernetesProblems(file: string, version: string): Promise<string> {
  const packages = join(await installed(recipe), "packages");
  const { status, stdout, stderr } = spawnSync(
    "python3",
    ["-m", "kubernetes_validate", "--strict", "-k", version, file],
    {
      encoding: "utf8",
      env: { ...process.env, PYTHONPATH: packages },
      timeout: 120_000,
    },
  );
  return status === 0 ? "" : `${stdout}${stderr}` || `ended with ${status}`;
}
