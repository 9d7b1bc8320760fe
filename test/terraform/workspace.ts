// SPDX-License-Identifier: Apache-2.0
/** The configuration in a folder of the test's own, and what Terraform makes of it. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TerraformProgram, terraformProgram } from "../../servers";

export const SOURCE = join(__dirname, "..", "..", "..", "terraform");

export type Values = Record<string, unknown>;

interface Resource {
  address: string;
  type: string;
  name: string;
  index?: string | number;
  values: Values;
}

interface PlannedModule {
  resources?: Resource[];
  child_modules?: PlannedModule[];
}

export interface Plan {
  resources: Resource[];
  outputs: Record<string, unknown>;
  of(type: string): Resource[];
  /** The only one whose address ends so. */
  one(address: string): Resource["values"];
}

interface Diagnostic {
  severity: "error" | "warning";
  summary: string;
  detail: string;
}

export class Workspace {
  private constructor(
    readonly folder: string,
    readonly terraform: TerraformProgram,
  ) {}

  static async open(): Promise<Workspace> {
    const folder = mkdtempSync(join(tmpdir(), "viewmill-terraform-"));
    cpSync(SOURCE, join(folder, "terraform"), { recursive: true, filter: (path) => !path.includes("/.terraform") });
    return new Workspace(folder, await terraformProgram(folder));
  }

  path(...parts: string[]): string {
    return join(this.folder, "terraform", ...parts);
  }

  async plan(module: string, variables: Readonly<Record<string, unknown>>): Promise<Plan> {
    const cwd = this.path(module);
    const file = join(this.folder, "plan");
    await this.must(cwd, "get");
    const flags = Object.entries(variables).map(([name, value]) => `-var=${name}=${asVariable(value)}`);
    await this.must(cwd, "plan", "-input=false", "-lock=false", "-no-color", `-out=${file}`, ...flags);
    const { stdout } = await this.must(cwd, "show", "-json", file);
    const { planned_values } = JSON.parse(stdout) as {
      planned_values: { root_module: PlannedModule; outputs: Record<string, { value?: unknown }> };
    };
    return planOf(planned_values.root_module, planned_values.outputs);
  }

  /** Errors of `terraform validate`; none: it is valid. */
  async errors(module: string): Promise<Diagnostic[]> {
    await this.terraform.run(this.path(module), "get");
    const { stdout, stderr } = await this.terraform.run(this.path(module), "validate", "-json");
    if (stdout === "") throw new Error(stderr);
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: Diagnostic[] };
    return diagnostics.filter(({ severity }) => severity === "error");
  }

  private async must(cwd: string, ...args: string[]) {
    const answer = await this.terraform.run(cwd, ...args);
    if (answer.status !== 0) throw new Error(`terraform ${args.join(" ")}: ${answer.stdout}\n${answer.stderr}`);
    return answer;
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}

const asVariable = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function planOf(root: PlannedModule, outputs: Record<string, { value?: unknown }>): Plan {
  const all = (module: PlannedModule): Resource[] => [
    ...(module.resources ?? []),
    ...(module.child_modules ?? []).flatMap(all),
  ];
  const resources = all(root);
  return {
    resources,
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, { value }]) => [name, value])),
    of: (type) => resources.filter((resource) => resource.type === type),
    one: (address) => {
      const found = resources.filter((resource) => resource.address.endsWith(address));
      if (found.length !== 1) throw new Error(`${found.length} resources have an address that ends in ${address}`);
      return found[0]!.values;
    },
  };
}

/** The first block of a name. */
export const block = (values: Values, name: string): Values | undefined => (values[name] as Values[] | undefined)?.[0];

/** The environment of a job in Cloud Run. */
export const containersOf = (job: Values): Values[] =>
  block(block(job, "template")!, "template")!.containers as Values[];

/** The settings of a service, or of a job. */
export function environmentOf(plan: Plan, type: string, index: string): Record<string, string> {
  const { values } = plan.of(type).find((resource) => resource.index === index)!;
  const containers = type.endsWith("_job") ? containersOf(values) : (block(values, "template")!.containers as Values[]);
  return Object.fromEntries(
    (containers[0]!.env as { name: string; value: string }[]).map((each) => [each.name, each.value]),
  );
}
