// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { isIntegerText } from "../../domain/decimal-text";

test.each([
  "0",
  "-0",
  "7",
  "-12",
  "1.0",
  "1e2",
  "1E+2",
  "1.50e1",
  "100e-2",
  "0.0",
  "0e-400",
  "-0.0e9",
  "9007199254740991.000",
])("%s is an integer", (text) => expect(isIntegerText(text)).toBe(true));

test.each([
  "1.5",
  "4.9999999999999999",
  "9007199254740991.4",
  "0.00000000000000000000000000001",
  "1e-400",
  "15e-1",
  "1.05e1",
  "1e-99999999999999999999999",
  "",
  "Infinity",
  "0x10",
  " 1",
  ".5",
])("%s is none", (text) => expect(isIntegerText(text)).toBe(false));

test("any way to write a decimal is an integer where its exact value is", () => {
  const digits = fc.array(fc.nat(9), { minLength: 1, maxLength: 25 }).map((list) => list.join(""));
  fc.assert(
    fc.property(
      digits,
      fc.option(digits, { nil: "" }),
      fc.integer({ min: -30, max: 30 }),
      (whole, fraction, exponent) => {
        const text = `${whole}${fraction === "" ? "" : `.${fraction}`}e${exponent}`;
        const scale = exponent - fraction.length;
        const all = BigInt(whole + fraction);
        const isInteger = scale >= 0 || all % 10n ** BigInt(-scale) === 0n;
        expect(isIntegerText(text)).toBe(isInteger);
      },
    ),
  );
});
