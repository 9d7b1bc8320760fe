// SPDX-License-Identifier: Apache-2.0
/**
 * Installs a recipe that takes until its gate file is there, or for ever; prints `building`, then `<folder>`.
 * Arguments: name, gate.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed } from "../../../servers/cache";
import { until } from "../processes";

const [name, gate] = process.argv.slice(2);
void installed({
  name: name!,
  version: "1",
  inputs: "",
  build: async (folder) => {
    process.stdout.write("building\n");
    writeFileSync(join(folder, "half"), "");
    await until("the gate is open", () => existsSync(gate!), 60_000);
    writeFileSync(join(folder, "whole"), "");
  },
}).then((folder) => process.stdout.write(`${folder}\n`));
