// SPDX-License-Identifier: Apache-2.0
/** Questions of a test to the machine: whether a process or folder exists, and waiting until it does not. */
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { startOf } from "../../servers/running";

export const isAlive = (pid: number): boolean => startOf(pid) !== undefined;

export { until } from "../until";

/** Names in the system's temporary folder that begin so. */
export const temporaryFolders = (prefix: string): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(prefix));
