// SPDX-License-Identifier: Apache-2.0
/**
 * Suites that need programs which Debian packages: they run where these are or may be installed, say why not elsewhere,
 * and with CI=true fail there.
 */
import { type DebianProgram, debianProgramIsToBeHad } from "../servers";
import { describeWhere } from "./describe-where";

/** For hooks that may install a program first. */
export const PROGRAMS_START_MS = 12 * 60_000;

export function describeWithPrograms(name: string, programs: readonly DebianProgram[], suite: () => void): void {
  const missing = programs.filter((program) => !debianProgramIsToBeHad(program));
  describeWhere(name, missing, ", and this process may not install packages", suite);
}
