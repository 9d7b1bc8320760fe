// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = join(__dirname, "..", "..", "..", "..");

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  overrides?: Record<string, unknown>;
}

const manifestOf = (folder: string) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

const npm = (folder: string, ...args: string[]) =>
  execFileSync("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, encoding: "utf8" });

/**
 * Packs engine/ or client/ and installs the archive into an empty project in `folder`, without a network: the packages
 * that it depends on are those of the checkout, of which npm says whether they are the ones that the archive asks for.
 */
export function installPackage(name: "engine" | "client", folder: string): void {
  const [{ filename }] = JSON.parse(npm(join(ROOT, name), "pack", "--json", "--pack-destination", folder)) as [
    { filename: string },
  ];
  const { dependencies = {} } = manifestOf(join(ROOT, name));
  for (const dependency of Object.keys(dependencies))
    copyWithDependencies(dependency, ROOT, join(folder, "node_modules"));
  const { overrides } = manifestOf(ROOT);
  const grpc = { "@grpc/grpc-js": dependencies["@grpc/grpc-js"] };
  const ofBeam = { ...(overrides?.["apache-beam"] as object), ...grpc };
  const manifest = {
    name: "a-project",
    private: true,
    ...(name === "engine" && { overrides: { "apache-beam": ofBeam } }),
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  npm(folder, "install", "--offline", "--ignore-scripts", `./${filename}`);
}

/** Copies a package that `from` can require, and what it requires in turn. */
function copyWithDependencies(name: string, from: string, modules: string): void {
  const source = folderOf(name, from);
  if (source === undefined) return;
  const place = join(modules, source.slice(source.indexOf("node_modules") + "node_modules".length + 1));
  if (existsSync(place)) return;
  mkdirSync(dirname(place), { recursive: true });
  // Source maps, declarations and pages are half of what there is, and nothing runs them.
  cpSync(source, place, { recursive: true, filter: (file) => !/\.(?:map|md|d\.ts)$/.test(file) });
  const { dependencies, optionalDependencies } = manifestOf(source);
  for (const each of Object.keys({ ...dependencies, ...optionalDependencies }))
    copyWithDependencies(each, source, modules);
}

/** Returns the place where Node finds the package from a folder; undefined where an optional one is not installed. */
function folderOf(name: string, from: string): string | undefined {
  for (let at = from; at.startsWith(ROOT); at = dirname(at)) {
    const found = join(at, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return realpathSync(found);
  }
  return undefined;
}
