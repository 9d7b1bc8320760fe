// SPDX-License-Identifier: Apache-2.0
/**
 * Suites that need programs which Debian packages: they run where these are or may be installed, say why not elsewhere,
 * and with CI=true fail there.
 */
import { type DebianProgram, debianProgramIsToBeHad } from "../../servers";

/** For hooks that may install a program first. */
export const PROGRAMS_START_MS = 12 * 60_000;

export function describeWithPrograms(name: string, programs: readonly DebianProgram[], suite: () => void): void {
  const missing = programs.filter((program) => !debianProgramIsToBeHad(program));
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
    test("has the programs it needs", () => {
      throw new Error(`${reason}, and this process may not install packages`);
    });
  });
}
