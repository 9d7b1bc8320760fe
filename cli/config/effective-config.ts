// SPDX-License-Identifier: Apache-2.0
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./schema";

/**
 * Writes the effective settings of `serve` for the commands that it runs on a schedule, which get no flags of the
 * service. The file is complete at any moment, and readable for this user only. Returns its path.
 */
export function effectiveConfigFile(config: Config): string {
  const file = join(config.data, "effective-config.json");
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  renameSync(fresh, file);
  return file;
}
