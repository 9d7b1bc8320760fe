// SPDX-License-Identifier: Apache-2.0
/**
 * The published schemas of Kubernetes and of Flink's operator, with the programs that check resources with them. The
 * tests of deploy/ check their resources with it.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { installed, type Recipe } from "./cache";
import { goInstallRecipe } from "./go";
import { copyJar } from "./maven";
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

const operatorRecipe: Recipe = {
  name: "flink-operator-api",
  version: VERSIONS.flinkOperator,
  inputs: "",
  build: async (folder) => {
    const artifact = { groupId: "org.apache.flink", artifactId: "flink-kubernetes-operator-api" };
    await copyJar({ ...artifact, version: VERSIONS.flinkOperator }, folder);
  },
};

/**
 * Reads the operator's definition out of its jar and validates one resource. As Kubernetes does with strict validation,
 * a field that the schema does not name is an error, unless the schema keeps unknown fields.
 */
const OPERATOR_PROGRAM = `
import json, sys, zipfile, yaml
from jsonschema import Draft202012Validator
jar, file = sys.argv[1:]
resource = json.load(open(file))
group, version = resource["apiVersion"].split("/")
name = "META-INF/fabric8/%ss.%s-v1.yml" % (resource["kind"].lower(), group)
definition = yaml.load(zipfile.ZipFile(jar).read(name), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
[schema] = [each["schema"]["openAPIV3Schema"] for each in definition["spec"]["versions"] if each["name"] == version]
def strict(node):
    if isinstance(node, list):
        for each in node: strict(each)
    if isinstance(node, dict):
        for each in node.values(): strict(each)
        named = isinstance(node.get("properties"), dict) and node.get("type") == "object"
        if named and not node.get("x-kubernetes-preserve-unknown-fields"):
            node.setdefault("additionalProperties", False)
strict(schema)
schema["properties"].update({name: {} for name in ("apiVersion", "kind", "metadata")})
for error in Draft202012Validator(schema).iter_errors(resource):
    print("/".join(map(str, error.path)) + ": " + error.message[:300])
`;

/** Returns the errors of a resource of Flink's operator (a JSON file) by the operator's published definition. */
export async function flinkOperatorProblems(file: string): Promise<string> {
  const packages = join(await installed(recipe), "packages");
  const jar = join(await installed(operatorRecipe), `flink-kubernetes-operator-api-${VERSIONS.flinkOperator}.jar`);
  const env = { ...process.env, PYTHONPATH: packages };
  const ended = spawnSync("python3", ["-c", OPERATOR_PROGRAM, jar, file], { encoding: "utf8", env, timeout: 120_000 });
  if (ended.status !== 0) throw new Error(`the operator's schema: ${ended.error?.message ?? ended.stderr}`);
  return ended.stdout;
}

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

const kustomizeRecipe = goInstallRecipe("kustomize", "sigs.k8s.io/kustomize/kustomize/v5", VERSIONS.kustomize);

/** Returns the resources (YAML) that kustomize makes of a folder, as `kubectl apply -k` would. */
export async function kustomized(folder: string): Promise<string> {
  const program = join(await installed(kustomizeRecipe), "kustomize");
  const ended = spawnSync(program, ["build", folder], { encoding: "utf8", timeout: 120_000 });
  if (ended.status !== 0) throw new Error(`kustomize: ${ended.error?.message ?? ended.stderr}`);
  return ended.stdout;
}
