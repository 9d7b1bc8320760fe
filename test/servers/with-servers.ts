// SPDX-License-Identifier: Apache-2.0
/** Suites that need real servers: they run where the tools are, say why not elsewhere, and with CI=true fail there. */
import { type CheckerName, missingTools, type ServerName } from "../../servers";
import { describeWhere } from "../describe-where";

/** For hooks that start servers: the first time on a machine everything is fetched and built. */
export const COLD_START_MS = 15 * 60_000;

/** `describe`, for a suite that needs these servers. */
export function describeWithServers(
  name: string,
  servers: readonly (ServerName | CheckerName)[],
  suite: () => void,
): void {
  describeWhere(name, missingTools(servers), "", suite);
}
