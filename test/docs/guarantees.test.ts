// SPDX-License-Identifier: Apache-2.0
/** Tests that the documentation names are there, and no promise is without one. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(__dirname, "..", "..", "..");
const pages = ["", "docs", "docs/decisions"].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name)),
);
const testsIn = (text: string): string[] => text.match(/\btest\/[a-z0-9/-]+\.test\.ts\b/g) ?? [];

it("every test that a page names exists", () => {
  const missing = pages.flatMap((page) =>
    testsIn(readFileSync(join(ROOT, page), "utf8"))
      .filter((test) => !existsSync(join(ROOT, test)))
      .map((test) => `${page}: ${test}`),
  );
  expect(missing).toEqual([]);
});

it("every promise says what it rests on, and which test would fail without it", () => {
  const text = readFileSync(join(ROOT, "docs", "guarantees.md"), "utf8");
  const promises = text.split(/^### /m).slice(1);
  expect(promises.length).toBeGreaterThan(15);
  for (const promise of promises) {
    const [name] = promise.split("\n", 1);
    expect(promise, name).toMatch(/^- Rests on[^:]*: /m);
    const fails = promise.match(/^- Fails: .*$/m)?.[0] ?? "";
    expect(testsIn(fails).length, name).toBeGreaterThan(0);
  }
});

it("no two decisions have one number, and the title of each begins with it", () => {
  const names = readdirSync(join(ROOT, "docs", "decisions")).filter((name) => /^\d{4}-/.test(name));
  const numbers = names.map((name) => name.slice(0, 4));
  expect(numbers.length).toBeGreaterThan(20);
  expect(numbers.filter((number, n) => numbers.indexOf(number) !== n)).toEqual([]);
  for (const name of names) {
    const text = readFileSync(join(ROOT, "docs", "decisions", name), "utf8");
    expect(text.slice(0, 7), name).toMatch(new RegExp(`^# ${name.slice(0, 4)}`));
  }
});
