// SPDX-License-Identifier: Apache-2.0
/** The closing lines of `npm test`, of folders of tests that fail in every way a file can. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SCRIPT = join(__dirname, "..", "..", "..", "scripts", "test.mjs");
const CONFIG = `export default { test: { include: ["*.test.mjs"], globals: true, pool: "forks", maxWorkers: 2 } };`;
const DEADLINE_MS = 300_000;

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "viewmill-test-run-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs `npm test`'s script on these files, and gives its exit code and what it says when the last test has ended. */
async function run(files: Record<string, string>, environment: Record<string, string> = {}) {
  for (const [name, text] of Object.entries({ "vitest.config.mjs": CONFIG, ...files }))
    writeFileSync(join(folder, name), text);
  const { CI: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [SCRIPT, "--root", folder, "--no-isolate"], {
    env: { ...inherited, TMPDIR: folder, ...environment },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const lines = output.trimEnd().split("\n");
  return { code, closing: lines.at(-1), failed: lines.filter((line) => line.startsWith("failed: ")).sort(), output };
}

test(
  "all is well: the closing line says so, and what is skipped is named",
  async () => {
    const files = { "fine.test.mjs": `test("fine", () => {}); test.skip("not here [skipped: no Java]", () => {});` };
    const run1 = await run(files);
    expect(run1).toMatchObject({ code: 0, closing: "1 passed, 0 failed, 1 skipped" });
    expect(run1.output).toContain("skipped: not here [skipped: no Java]\n");
    expect(await run(files, { CI: "true" })).toMatchObject({ code: 1, closing: "1 passed, 0 failed, 1 skipped" });
  },
  DEADLINE_MS,
);

test(
  "a failed clean-up, set-up or import, a process that dies and an empty file are failures in the closing line",
  async () => {
    const { code, closing, failed } = await run({
      "fine.test.mjs": `test("fine", () => {});`,
      "clean-up.test.mjs": `afterAll(() => { throw new Error("clean-up"); }); test("good", () => {});`,
      "clean-up-deadline.test.mjs": `afterAll(() => new Promise(() => {}), 50); test("good", () => {});`,
      "crash.test.mjs": `test("dies", () => { process.kill(process.pid, "SIGKILL"); return new Promise(() => {}); });`,
      "empty.test.mjs": "",
      "import.test.mjs": `import "./nothing.mjs"; test("never", () => {});`,
      "set-up.test.mjs": `beforeAll(() => { throw new Error("set-up"); }); test("never", () => {});`,
      "wrong.test.mjs": `test("is wrong", () => { throw new Error("wrong"); });`,
    });
    expect(failed).toEqual([
      "failed: clean-up-deadline.test.mjs: the file itself",
      "failed: clean-up.test.mjs: the file itself",
      "failed: crash.test.mjs: dies",
      "failed: empty.test.mjs: the file itself",
      "failed: import.test.mjs: the file itself",
      "failed: set-up.test.mjs: the file itself",
      "failed: wrong.test.mjs: is wrong",
    ]);
    expect({ code, closing }).toEqual({ code: 1, closing: "3 passed, 7 failed" });
  },
  DEADLINE_MS,
);

test(
  "an error that nobody handled, no file at all and a runner that cannot start are failures, too",
  async () => {
    const unhandled = `test("leaves a rejection", () => { Promise.reject(new Error("unhandled")); });`;
    expect(await run({ "unhandled.test.mjs": unhandled })).toMatchObject({
      code: 1,
      closing: "1 passed, 1 failed",
      failed: ['failed: the run "asked"'],
    });
    rmSync(join(folder, "unhandled.test.mjs"));
    expect(await run({})).toMatchObject({ code: 1, closing: "0 passed, 1 failed" });
    const broken = await run({ "vitest.config.mjs": "export default nothing;" });
    expect(broken).toMatchObject({ code: 1, closing: "0 passed, 1 failed" });
    expect(broken.output).toContain("left no report");
  },
  DEADLINE_MS,
);
