// SPDX-License-Identifier: Apache-2.0
/** The configuration against the schema of Google's provider, by Terraform itself; and that this check can fail. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { SOURCE, Workspace } from "./workspace";

const ENVIRONMENTS = ["environments/dev", "environments/prod"];

/** One thing that is wrong, and what Terraform says of it. */
const WRONG: [what: string, file: string, from: string, to: string, said: RegExp][] = [
  [
    "an argument that does not exist",
    "event-log/main.tf",
    "ack_deadline_seconds ",
    "ack_deadline_second ",
    /Unsupported argument/,
  ],
  [
    "an argument that is missing",
    "storage/main.tf",
    "  location                    = var.location\n",
    "",
    /Missing required argument/,
  ],
  ["a block as an argument", "services/main.tf", "      ports {", "      ports = {", /Unsupported argument/],
  ["an argument as a block", "services/main.tf", "args  = each.value.args", "args {}", /Unsupported block type/],
  [
    "a block in the wrong place",
    "services/main.tf",
    "    scaling {\n      min_instance_count",
    "    resources {}\n    scaling {\n      min_instance_count",
    /Unsupported block type/,
  ],
  [
    "a block that is missing",
    "storage/main.tf",
    'action {\n      type          = "SetStorageClass"\n      storage_class = var.cold_class\n    }',
    "",
    /Insufficient action blocks/,
  ],
  [
    "a block too many",
    "storage/main.tf",
    "  soft_delete_policy {",
    "  soft_delete_policy {}\n  soft_delete_policy {",
    /Too many soft_delete_policy blocks/,
  ],
  [
    "a value of another type",
    "event-log/main.tf",
    "enable_message_ordering      = false",
    'enable_message_ordering      = "no"',
    /Incorrect attribute value type/,
  ],
  [
    "a resource that does not exist",
    "storage/main.tf",
    'resource "google_storage_managed_folder" "this"',
    'resource "google_storage_folders" "this"',
    /Invalid resource type/,
  ],
  [
    "an attribute of a resource that does not exist",
    "storage/outputs.tf",
    "google_storage_bucket.data.name",
    "google_storage_bucket.data.bucket_name",
    /Unsupported attribute/,
  ],
];

// Each test starts Terraform several times, beside other work.
vi.setConfig({ testTimeout: 120_000 });

describeWithServers("the Terraform configuration", ["terraform"], () => {
  let workspace: Workspace;

  beforeAll(async () => {
    workspace = await Workspace.open();
  }, COLD_START_MS);
  afterAll(() => workspace?.close());

  test("is formatted", async () => {
    const { status, stdout } = await workspace.terraform.run(SOURCE, "fmt", "-check", "-recursive");
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  test.each(ENVIRONMENTS)("%s is valid by the schema of the provider", async (environment) => {
    expect(await workspace.errors(environment)).toEqual([]);
  });

  test("every module is used", () => {
    const text = [...ENVIRONMENTS, "modules/viewmill"]
      .map((folder) => readFileSync(join(SOURCE, folder, "main.tf"), "utf8"))
      .join("\n");
    for (const module of readdirSync(join(SOURCE, "modules")))
      expect(text).toMatch(new RegExp(`source\\s+= ".*/${module}"`));
  });

  test.each(WRONG)("%s is refused", async (_what, file, from, to, said) => {
    const path = workspace.path("modules", file);
    const right = readFileSync(path, "utf8");
    expect(right).toContain(from);
    writeFileSync(path, right.replace(from, to));
    try {
      const errors = await workspace.errors(join("modules", file, ".."));
      expect(errors.map(({ summary }) => summary).join("\n")).toMatch(said);
    } finally {
      writeFileSync(path, right);
    }
  });
});
