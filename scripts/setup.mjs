// Makes a fresh clone runnable: installs what the lockfile names, compiles, and does neither when nothing changed.
// Runs under the machine's own Node (>= 20); everything after it runs under the Node pinned in package.json.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stampFile = join(root, "node_modules", ".viewmill-lock");
const lockHash = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");

function run(command, args, label) {
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
  if (result.status === 0) return;
  process.stderr.write(
    `${result.stdout ?? ""}${result.stderr ?? ""}\n${label} failed (${result.error?.message ?? `exit ${result.status}`})\n`,
  );
  process.exit(1);
}

if (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== lockHash) {
  process.stderr.write("viewmill: installing dependencies (once, about a minute)\n");
  // Not `npm ci`: it refuses the lockfile where a registry does not carry the optional packages of every other platform.
  // `install --no-save` takes the same locked versions and changes neither package.json nor the lockfile.
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], "npm install");
  writeFileSync(stampFile, lockHash);
}
// An output whose source is gone must not linger: tsc never deletes, so a removed source removes dist.
const listFile = join(root, "dist", ".sources");
const sources = spawnSync("node_modules/.bin/tsc", ["--listFilesOnly"], { cwd: root, encoding: "utf8" })
  .stdout.split("\n")
  .filter((line) => line && !line.includes("node_modules"))
  .sort()
  .join("\n");
if (existsSync(listFile)) {
  const present = new Set(sources.split("\n"));
  if (
    readFileSync(listFile, "utf8")
      .split("\n")
      .some((file) => !present.has(file))
  )
    rmSync(join(root, "dist"), { recursive: true });
}
run(join(root, "node_modules", ".bin", "tsc"), [], "tsc");
mkdirSync(join(root, "dist"), { recursive: true });
writeFileSync(listFile, sources);
cpSync(join(root, "io/formats/schemas"), join(root, "dist", "io/formats/schemas"), { recursive: true });
run(join(root, "node_modules", ".bin", "tsc"), ["-p", "dashboard"], "tsc -p dashboard");
// Imported here because before the installation above there is no esbuild.
(await import("./build-dashboard.mjs")).buildDashboard(root);
// `npx viewmill` inside the checkout: npm links a package's own command only where it is installed as a dependency.
const command = join(root, "node_modules", ".bin", "viewmill");
writeFileSync(command, '#!/bin/sh\nbin=$(dirname "$0")\nexec "$bin/node" "$bin/../../dist/cli/main.js" "$@"\n', {
  mode: 0o755,
});
