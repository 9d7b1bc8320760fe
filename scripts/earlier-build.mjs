// SPDX-License-Identifier: Apache-2.0
// Packs the programs of a commit into test/system/two-of-everything/, so that tests can run an earlier build beside
// this one without the history of the repository: node scripts/earlier-build.mjs COMMIT
// A pack holds each compiled module and schema as one JSON line [path, text], compressed by brotli.
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { transformSync } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, "test", "system", "two-of-everything");
/** Sources that no program of a cluster loads. */
const LEFT_OUT = /^(test|bench|dashboard|demo|servers|scripts|docs|load|client\/browser|engine\/example)\/|\.d\.ts$/;

const [commit] = process.argv.slice(2);
if (commit === undefined) throw new Error("usage: node scripts/earlier-build.mjs COMMIT");
const git = (...args) => execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 << 20 });
const id = git("rev-parse", "--short=7", commit).trim();
const files = git("ls-tree", "-r", "--name-only", id)
  .trim()
  .split("\n")
  .filter((path) => path === "package.json" || (/\.(ts|avsc)$/.test(path) && !LEFT_OUT.test(path)));
const lines = files.map((path) => JSON.stringify(packed(path, git("show", `${id}:${path}`))));
for (const earlier of readdirSync(folder)) if (earlier.endsWith(".br")) rmSync(join(folder, earlier));
const pack = brotliCompressSync(lines.join("\n"), { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } });
writeFileSync(join(folder, `build-${id}.br`), pack);
process.stdout.write(`${lines.length} files of ${id}: ${pack.length} bytes\n`);

function packed(path, text) {
  if (!path.endsWith(".ts")) return [path === "package.json" ? path : join("dist", path), text];
  const { code } = transformSync(text, {
    loader: "ts",
    format: "cjs",
    platform: "node",
    target: "node24",
    minifyWhitespace: true,
    minifySyntax: true,
  });
  // esbuild replaces module.exports; the engine registers the object that a module ends with.
  const registered = code.replace(/(register\)\("[^"]+", ?)exports\)/g, "$1module.exports)");
  return [join("dist", path.replace(/\.ts$/, ".js")), registered];
}
