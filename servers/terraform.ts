// SPDX-License-Identifier: Apache-2.0
/**
 * The checks of a Terraform configuration: Terraform itself, the schema of Google's provider with a provider that has
 * nothing else (no package registry has Google's own), and checkov. The tests of terraform/ run them.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed, type Recipe, ROOT, runTool } from "./cache";
import { goBuild, goInstallRecipe } from "./go";
import { type BlockSchema, schemaOf } from "./provider-types";
import { withPythonPackages } from "./python-packages";
import { VERSIONS } from "./versions";

const terraformRecipe = goInstallRecipe("terraform", "github.com/hashicorp/terraform", VERSIONS.terraform);

const PROVIDER_SOURCE = readFileSync(join(ROOT, "servers", "schema-provider.go"), "utf8");
const PROVIDER_REQUIRES = [`github.com/hashicorp/terraform-plugin-go ${VERSIONS.terraformPluginGo}`];
/** As Terraform looks for it. */
const PROVIDER_PROGRAM = "terraform-provider-google";

const schemaProviderRecipe: Recipe = {
  name: "schema-provider",
  version: VERSIONS.terraformPluginGo,
  inputs: PROVIDER_SOURCE,
  build: (folder) => goBuild(PROVIDER_PROGRAM, PROVIDER_SOURCE, PROVIDER_REQUIRES, folder),
};

const TYPES_PACKAGE = "@cdktf/provider-google";
/** The hash of the archive that npm serves for the version in versions.ts. */
const TYPES_SHA512 = "KqNA/5RiFT07r0PSZ6/07cJ2zESUgbj1JchVj21iBFBZVUbD+578xA/k8eq/r0cbyEgLmg9eYWeVslaYah4DCQ==";
/** The services a configuration may use; the package has 1,400 resources. */
const SERVICES =
  /^(provider|(data-google-)?(artifact-registry|bigtable|cloud-run-v2|cloud-scheduler|logging-metric|monitoring|project|pubsub|secret-manager|service-account|storage-bucket|storage-managed-folder)(?!.*-lite)[\w-]*)$/;

/** Values that follow from arguments, so that a plan shows them: `{argument}`. */
const KNOWN = {
  google_service_account: {
    email: "{account_id}@{project}.iam.gserviceaccount.com",
    member: "serviceAccount:{account_id}@{project}.iam.gserviceaccount.com",
  },
  google_bigtable_instance: { id: "projects/{project}/instances/{name}" },
  google_pubsub_topic: { id: "projects/{project}/topics/{name}" },
  google_pubsub_subscription: { id: "projects/{project}/subscriptions/{name}" },
  google_cloud_run_v2_service: { uri: "https://{name}.run.app" },
  "data.google_project": { number: "123456789012" },
};

interface ProviderSchema {
  provider: BlockSchema;
  resources: Record<string, BlockSchema>;
  data: Record<string, BlockSchema>;
  known: typeof KNOWN;
}

/** `schema.json` of the services above, for the schema provider. */
const googleSchemaRecipe: Recipe = {
  name: "google-schema",
  version: VERSIONS.cdktfProviderGoogle,
  inputs: [
    TYPES_SHA512,
    SERVICES.source,
    JSON.stringify(KNOWN),
    readFileSync(join(__dirname, "provider-types.js"), "utf8"),
  ].join("\n"),
  build: async (folder) => {
    const work = join(folder, "package");
    mkdirSync(work);
    await runTool("npm", ["pack", "--silent", `${TYPES_PACKAGE}@${VERSIONS.cdktfProviderGoogle}`], { cwd: work });
    const archive = readdirSync(work).find((name) => name.endsWith(".tgz"));
    if (archive === undefined) throw new Error(`npm pack ${TYPES_PACKAGE} left no archive`);
    const digest = createHash("sha512")
      .update(readFileSync(join(work, archive)))
      .digest("base64");
    if (digest !== TYPES_SHA512) throw new Error(`${archive} is not the archive that was looked at: sha512 ${digest}`);
    await runTool("tar", ["xzf", archive, "--wildcards", "package/lib/*/index.d.ts", "package/lib/*/index.js"], {
      cwd: work,
    });
    writeFileSync(join(folder, "schema.json"), JSON.stringify(readSchema(join(work, "package", "lib"))));
    rmSync(work, { recursive: true });
  },
};

function readSchema(lib: string): ProviderSchema {
  const schema: ProviderSchema = { provider: { attributes: [], blocks: [] }, resources: {}, data: {}, known: KNOWN };
  for (const name of readdirSync(lib).filter((each) => SERVICES.test(each))) {
    const source = (file: string) => readFileSync(join(lib, name, file), "utf8");
    const { type, block } = schemaOf(source("index.d.ts"), source("index.js"));
    if (name === "provider") schema.provider = block;
    else schema[name.startsWith("data-google-") ? "data" : "resources"][type] = block;
  }
  return schema;
}

const checkovRecipe: Recipe = {
  name: "checkov",
  version: VERSIONS.checkov,
  inputs: "",
  build: async (folder) => {
    // With --target they stay when the environment goes.
    const packages = ["--target", join(folder, "packages"), `checkov==${VERSIONS.checkov}`];
    await withPythonPackages(folder, packages);
  },
};

interface ToolAnswer {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface TerraformProgram {
  /**
   * Runs terraform in a folder; Google's provider is the one that knows the schema alone. Keeps no state: plan,
   * validate, fmt, console.
   */
  run(folder: string, ...args: string[]): Promise<ToolAnswer>;
}

/**
 * Builds and fetches what is not in the cache; minutes the first time. `work` is a folder of the caller's for settings.
 */
export async function terraformProgram(work: string): Promise<TerraformProgram> {
  const [terraform, provider, schema] = [
    await installed(terraformRecipe),
    await installed(schemaProviderRecipe),
    await installed(googleSchemaRecipe),
  ];
  const settings = join(work, "terraform.rc");
  const overrides = `dev_overrides {\n    "hashicorp/google" = "${provider}"\n  }`;
  writeFileSync(settings, `provider_installation {\n  ${overrides}\n  direct {}\n}\n`);
  const env = {
    ...process.env,
    TF_CLI_CONFIG_FILE: settings,
    SCHEMA_FILE: join(schema, "schema.json"),
    CHECKPOINT_DISABLE: "1",
    TF_IN_AUTOMATION: "1",
  };
  return { run: (folder, ...args) => answer(join(terraform, "terraform"), args, folder, env) };
}

const MAX_RUN_MS = 180_000;

function answer(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<ToolAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], timeout: MAX_RUN_MS });
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        texts[name] += text;
      });
    }
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, ...texts }));
  });
}

export interface CheckovFindings {
  passed: number;
  /** `CHECK address file`. */
  failed: string[];
  skipped: { check: string; resource: string; reason: string }[];
}

interface CheckovResult {
  check_id: string;
  resource: string;
  file_path: string;
  check_result: { suppress_comment?: string };
}

/** Returns checkov's findings in a folder of Terraform or of Kubernetes resources, without any request to a server. */
export async function checkovFindings(
  folder: string,
  framework: "terraform" | "kubernetes" = "terraform",
): Promise<CheckovFindings> {
  const packages = join(await installed(checkovRecipe), "packages");
  const args = ["-m", "checkov.main", "-d", folder, "--framework", framework, "--skip-download", "-o", "json"];
  const { stdout, stderr } = await answer("python3", args, folder, { ...process.env, PYTHONPATH: packages });
  let report: { results: Record<"passed_checks" | "failed_checks" | "skipped_checks", CheckovResult[]> };
  try {
    report = JSON.parse(stdout);
  } catch {
    throw new Error(`checkov gave no report: ${stderr.slice(-2000)}`);
  }
  const { passed_checks, failed_checks, skipped_checks } = report.results;
  return {
    passed: passed_checks.length,
    failed: failed_checks.map(({ check_id, resource, file_path }) => `${check_id} ${resource} ${file_path}`),
    skipped: skipped_checks.map(({ check_id, resource, check_result }) => ({
      check: check_id,
      resource,
      reason: check_result.suppress_comment ?? "",
    })),
  };
}
