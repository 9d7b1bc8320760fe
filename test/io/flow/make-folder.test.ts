// SPDX-License-Identifier: Apache-2.0
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../../../io/flow/make-folder";
import { removeFolders, temporaryFolder } from "../ports/condition";

afterEach(removeFolders);

test("a folder is made with all that is above it, and may be there already", () => {
  const folder = join(temporaryFolder(), "a", "b", "..", "c");
  for (let n = 0; n < 2; n++) makeFolder(folder);
  expect(statSync(folder).isDirectory()).toBe(true);
});

test("a file in the way is an error", () => {
  const file = join(temporaryFolder(), "file");
  writeFileSync(file, "");
  expect(() => makeFolder(file)).toThrow(/EEXIST|ENOTDIR/);
  expect(() => makeFolder(join(file, "below", "it"))).toThrow(/EEXIST|ENOTDIR/);
});

test.skipIf(!existsSync("/proc/self"))(
  "a place where the system makes no folder is an error, and no endless wait",
  () => {
    expect(() => makeFolder("/proc/viewmill/data")).toThrow(/ENOENT|EPERM|EACCES/);
  },
);
