// SPDX-License-Identifier: Apache-2.0
// Compiles what the suites of the folder at hand need of Stryker's copy of the sources, with the packages of the
// checkout it was copied from. Arguments: that checkout's node_modules, and the folders of the suites. The adapters in
// io/ load their threads by name.
import { spawnSync } from "node:child_process";
import { cpSync, symlinkSync, writeFileSync } from "node:fs";

const [packages, ...suites] = process.argv.slice(2);
symlinkSync(packages, "node_modules");
const only = {
  extends: "./tsconfig.json",
  compilerOptions: { declaration: false, sourceMap: false, incremental: false, noCheck: true },
  include: [...suites, "io"],
};
writeFileSync("tsconfig.mutation.json", JSON.stringify(only));
// `tsc` names what it cannot type; it emits all the same, and a module that is missing fails where it is loaded.
const { error } = spawnSync("node_modules/.bin/tsc", ["-p", "tsconfig.mutation.json"], { stdio: "inherit" });
if (error !== undefined) throw error;
cpSync("io/formats/schemas", "dist/io/formats/schemas", { recursive: true });
