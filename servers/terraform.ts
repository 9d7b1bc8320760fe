/**
 * What a Terraform configuration is checked with: Terraform itself, the schema of Google's provider with a provider that knows nothing else
 * (Google's own is not in any package registry), and checkov.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Recipe, ROOT, runTool } from "./cache";
import { goBuild, goInstall } from "./go";
import { type BlockSchema, schemaOf } from "./provider-types";
import { VERSIONS } from "./versions";

export const terraformRecipe: Recipe = {
  name: "terraform",
  version: VERSIONS.terraform,
  inputs: "github.com/hashicorp/terraform",
  build: (folder) => goInstall(`github.com/hashicorp/terraform@${VERSIONS.terraform}`, folder),
};

const PROVIDER_SOURCE = readFileSync(join(ROOT, "servers", "schema-provider.go"), "utf8");
const PROVIDER_REQUIRES = [`github.com/hashicorp/terraform-plugin-go ${VERSIONS.terraformPluginGo}`];
/** As Terraform looks for it. */
const PROVIDER_PROGRAM = "terraform-provider-google";

export const schemaProviderRecipe: Recipe = {
  name: "schema-provider",
  version: VERSIONS.terraformPluginGo,
  inputs: PROVIDER_SOURCE,
  build: (folder) => goBuild(PROVIDER_PROGRAM, PROVIDER_SOURCE, PROVIDER_REQUIRES, folder),
};

const TYPES_PACKAGE = "@cdktf/provider-google";
/** Of the archive that npm serves for the version in versions.ts. */
const TYPES_SHA512 = "KqNA/5RiFT07r0PSZ6/07cJ2zESUgbj1JchVj21iBFBZVUbD+578xA/k8eq/r0cbyEgLmg9eYWeVslaYah4DCQ==";
/** The services a configuration may use; the package has 1,400 resources. */
const SERVICES =
  /^(provider|(data-google-)?(artifact-registry|bigtable|cloud-run-v2|cloud-scheduler|logging-metric|monitoring|project|pubsub|secret-manager|service-account|storage-bucket|storage-managed-folder)(?!.*-lite)[\w-]*)$/;

/** What follows from arguments, so that a plan shows it: `{argument}`. */
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
export const googleSchemaRecipe: Recipe = {
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

export const checkovRecipe: Recipe = {
  name: "checkov",
  version: VERSIONS.checkov,
  inputs: "",
  build: async (folder) => {
    // With --target there is no path in it: a virtual environment could not be moved to its place.
    const packages = ["--target", join(folder, "packages"), `checkov==${VERSIONS.checkov}`];
    await runTool("python3", ["-m", "venv", join(folder, "venv")], { cwd: folder });
    const pip = join(folder, "venv", "bin", "python");
    await runTool(pip, ["-m", "pip", "install", "-q", "--disable-pip-version-check", ...packages], { cwd: folder });
    rmSync(join(folder, "venv"), { recursive: true });
  },
};
