// SPDX-License-Identifier: Apache-2.0
/** Suites that need real servers: they run where the tools are, say why not elsewhere, and with CI=true fail there. */
import { type CheckerName, missingTools, type ServerName } from "../../servers";

/** For hooks that start servers: the first time on a machine everything is fetched and built. */
export const COLD_START_MS = 15 * 60_000;

/** `describe`, for a suite that needs these servers. */
export function describeWithServers(
  name: string,
  servers: readonly (ServerName | CheckerName)[],
  suite: () => void,
): void {
  const missing = missingTools(servers);
  if (missing.length === 0) {
    describe(name, suite);
    return;
  }
  const reason = `${missing.join(", ")} not found on this machine`;
  if (process.env.CI !== "true") {
    describe.skip(`${name} [skipped: ${reason}]`, suite);
    return;
  }
  describe(name, () => {
    test("has the tools it needs", () => {
      throw new Error(reason);
    });
  });
}
