// SPDX-License-Identifier: Apache-2.0
/**
 * The imports of TypeScript sources as dependency-cruiser sees them, with those of types: tsc leaves types out of what
 * it writes.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ICruiseResult, IForbiddenRuleType } from "dependency-cruiser" with { "resolution-mode": "import" };
import { build } from "esbuild";

export interface Violation {
  rule: string;
  from: string;
  to: string;
}

/**
 * Returns the violations of the rules by the sources of `root` (paths from there). Their imports are written to a
 * folder of its own as JavaScript, which needs neither a compiler nor types; packages are those of the checkout.
 */
export async function violations(
  root: string,
  sources: readonly string[],
  { checkout, rules }: { checkout: string; rules: IForbiddenRuleType[] },
): Promise<Violation[]> {
  const mirror = mkdtempSync(join(tmpdir(), "viewmill-architecture-"));
  const before = process.cwd();
  try {
    await build({
      absWorkingDir: root,
      entryPoints: [...sources],
      outdir: mirror,
      outbase: root,
      format: "esm",
      logLevel: "error",
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
      plugins: [{ name: "types-too", setup: ({ onLoad }) => onLoad({ filter: /\.ts$/ }, asValues) }],
    });
    for (const shared of ["node_modules", "package.json"]) symlinkSync(join(checkout, shared), join(mirror, shared));
    const folders = [...new Set(sources.map((source) => source.split("/")[0]!))];
    for (const folder of folders) mkdirSync(join(mirror, folder), { recursive: true });
    const { cruise } = await import("dependency-cruiser");
    process.chdir(mirror);
    const options = { ruleSet: { forbidden: rules }, validate: true, doNotFollow: "node_modules", baseDir: mirror };
    const resolving = { exportsFields: ["exports"], conditionNames: ["require", "import", "node", "default"] };
    const { output } = await cruise(folders, { ...options, outputType: "json" }, resolving);
    const { summary } = JSON.parse(output as string) as ICruiseResult;
    return summary.violations.map(({ rule, from, to, cycle }) => ({
      rule: rule.name,
      from: asSource(from),
      to: cycle === undefined ? asSource(to) : cycle.map(({ name }) => asSource(name)).join(" -> "),
    }));
  } finally {
    process.chdir(before);
    rmSync(mirror, { recursive: true });
  }
}

const asSource = (path: string): string => path.replace(/^(?!.*node_modules)(.*)\.js$/, "$1.ts");

/** Returns the source with its imports of types as imports of values. The result is never run. */
function asValues({ path }: { path: string }) {
  const contents = readFileSync(path, "utf8")
    .replaceAll(/^import type (?=[{*\w])/gm, "import ")
    .replaceAll(/^export type (?=[{*])/gm, "export ")
    .replaceAll(/^(?:import|export) \{[^}]*\} from/gm, (clause) => clause.replaceAll(/\btype (?=\w)/g, ""));
  return { contents, loader: "ts" as const };
}
