// SPDX-License-Identifier: Apache-2.0
// Compiles Stryker's copy of the sources, with the packages of the checkout it was copied from (the argument is that
// checkout's node_modules). By esbuild: the mutated sources have no types to check, and it takes seconds. Stryker runs
// it for each of its copies (scripts/mutation.mjs).
import { cpSync, globSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const packages = process.argv[2];
symlinkSync(packages, "node_modules");
const { buildSync } = createRequire(join(packages, "package.json"))("esbuild");
const sources = globSync("**/*.ts", { exclude: (name) => /(^|\/)(node_modules|dist|dashboard)$|\.d\.ts$/u.test(name) });
buildSync({
  entryPoints: sources.filter((name) => !name.endsWith(".d.ts")),
  outdir: "dist",
  outbase: ".",
  format: "cjs",
  platform: "node",
  target: "node24",
  logLevel: "error",
});
// Stryker's code counts the coverage in every run. The counts of the run without changes are enough.
for (const file of globSync("dist/**/*.js")) {
  const text = readFileSync(file, "utf8");
  const fixed = text.replace(/function cover\(\) \{(?=\s+var c = cov\.static;)/u, "$& if (ns.isJudging) return;");
  if (fixed !== text) writeFileSync(file, fixed);
}
// tsc hands a module's `exports` to Beam's registry of functions; esbuild replaces that object at the module's end.
for (const file of globSync("dist/{transforms,pipelines,engine,io,test}/**/*.js")) {
  const text = readFileSync(file, "utf8");
  const fixed = text.replaceAll(/register\)\(("[^"]+"), exports\)/gu, "register)($1, module.exports)");
  if (fixed !== text) writeFileSync(file, fixed);
}
cpSync("io/formats/schemas", "dist/io/formats/schemas", { recursive: true });
