// SPDX-License-Identifier: Apache-2.0
// Builds engine/ or client/ as a package of its own, into its dist/: what `npm pack` calls. The application compiles
// the same sources with its own and does not use these outputs (docs/decisions/0034-rooms-and-packages.md).
import { spawnSync } from "node:child_process";
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const BUILDS = { engine, client };

const name = process.argv[2];
const build = BUILDS[name];
if (build === undefined) {
  process.stderr.write(`build-packages.mjs ${Object.keys(BUILDS).join(" | ")}\n`);
  process.exit(2);
}
const folder = join(root, name);
rmSync(join(folder, "dist"), { recursive: true, force: true });
const { status } = spawnSync(join(root, "node_modules", ".bin", "tsc"), ["-p", folder], { stdio: "inherit" });
if (status !== 0) process.exit(1);
await build();
copyFileSync(join(root, "LICENSE"), join(folder, "dist", "LICENSE"));

function engine() {}

/** Builds two forms for Node, and one file for pages. */
async function client() {
  const { buildSync } = await import("esbuild");
  const entry = join(folder, "index.ts");
  const forNode = { bundle: true, platform: "node", target: "node20", entryPoints: [entry] };
  buildSync({ ...forNode, format: "cjs", outfile: join(folder, "dist", "index.cjs") });
  buildSync({ ...forNode, format: "esm", outfile: join(folder, "dist", "index.mjs") });
  const { pageClient } = await import("./build-dashboard.mjs");
  pageClient(root, join(folder, "dist", "browser.mjs"));
}
