// Builds Stryker's copy of the sources, with the packages of the checkout it was copied from: the first argument is its node_modules.
import { spawnSync } from "node:child_process";
import { symlinkSync } from "node:fs";

symlinkSync(process.argv[2], "node_modules");
process.exit(spawnSync(process.execPath, ["scripts/setup.mjs", "--quiet"], { stdio: "inherit" }).status ?? 1);
