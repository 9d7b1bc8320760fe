// SPDX-License-Identifier: Apache-2.0
/**
 * engine/ and client/ as packages: packed, installed into an empty project, and run there by the Node that runs the
 * tests.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackage } from "./installed-package";

const ROOT = join(__dirname, "..", "..", "..", "..");

const run = (folder: string, ...args: string[]) =>
  execFileSync(process.execPath, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

describe("@viewmill/client", () => {
  const project = mkdtempSync(join(tmpdir(), "viewmill-client-"));
  beforeAll(() => installPackage("client", project));
  afterAll(() => rmSync(project, { recursive: true }));

  test("depends on no other package", () => {
    const packages = readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith("."));
    expect(packages.sort()).toEqual(["@viewmill"]);
  });

  test.each([
    ["CommonJS", "send.cjs", 'const { ViewmillClient } = require("@viewmill/client");'],
    ["ESM", "send.mjs", 'import { ViewmillClient } from "@viewmill/client";'],
  ])("delivers an event from a %s program", (_form, file, load) => {
    // A fetch of the program's own stands for the service.
    const program = `${load}
      const bodies = [];
      const answer = async (url, { body }) => {
        bodies.push(body);
        return new Response('{"accepted":1,"rejected":[]}', { status: 202 });
      };
      const client = new ViewmillClient({ url: "http://127.0.0.1:1", fetch: answer });
      client.countViewEvent("v1").then(async (sent) => {
        await client.close();
        console.log(bodies.length);
      });`;
    writeFileSync(join(project, file), program);
    expect(run(project, file)).toBe("1\n");
  });

  test("has a build for pages that asks for no other module", () => {
    const page = 'import("@viewmill/client/browser").then((page) => console.log(Object.keys(page).sort().join()));';
    expect(run(project, "--input-type=module", "-e", page)).toContain("ViewmillClient");
    const build = readFileSync(join(project, "node_modules", "@viewmill", "client", "dist", "browser.mjs"), "utf8");
    expect(build).not.toMatch(/\bfrom\s*"|\bimport\s*["(]/);
  });

  test("has types that a strict TypeScript program compiles with", () => {
    writeFileSync(
      join(project, "typed.ts"),
      'import { ViewmillClient } from "@viewmill/client";\nconst client = new ViewmillClient({ url: "http://127.0.0.1:1" });\nvoid client.countViewEvent("v1");\n',
    );
    const options = ["--strict", "--noEmit", "--module", "node16", "--target", "es2022", "--types", "", "typed.ts"];
    run(project, join(ROOT, "node_modules", "typescript", "bin", "tsc"), ...options);
  });
});

describe("@viewmill/engine", () => {
  const project = mkdtempSync(join(tmpdir(), "viewmill-engine-"));
  beforeAll(() => installPackage("engine", project));
  afterAll(() => rmSync(project, { recursive: true }));

  test("its example counts words on the direct runner, in the stranger's own project", () => {
    mkdirSync(join(project, "src"));
    cpSync(join(project, "node_modules", "@viewmill", "engine", "example"), join(project, "src"), { recursive: true });
    run(project, join("src", "count-words.js"));
    const lines = readFileSync(join(project, "word-lengths.txt"), "utf8").trim().split("\n").sort();
    expect(lines).toEqual(["2 letters: 6", "3 letters: 2", "4 letters: 1", "8 letters: 1"]);
  });

  test("its README shows the example as it is", () => {
    const example = readFileSync(join(ROOT, "engine", "example", "count-words.js"), "utf8");
    expect(readFileSync(join(ROOT, "engine", "README.md"), "utf8")).toContain(
      example.slice(example.indexOf("const {")),
    );
  });

  test("knows nothing of Viewmill but its own name", () => {
    const folder = join(project, "node_modules", "@viewmill", "engine", "dist");
    const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".js"));
    expect(sources.length).toBeGreaterThan(40);
    expect(sources.filter((file) => /viewmill/i.test(readFileSync(join(folder, file), "utf8")))).toEqual([]);
  });
});
