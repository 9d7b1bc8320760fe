// SPDX-License-Identifier: Apache-2.0
/**
 * `describe`, for a suite that needs something of the machine. Where `missing` names something, the suite is skipped by
 * name, and with CI=true a test fails with the reason.
 */
export function describeWhere(name: string, missing: readonly string[], remedy: string, suite: () => void): void {
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
    test("has what it needs", () => {
      throw new Error(`${reason}${remedy}`);
    });
  });
}
