// SPDX-License-Identifier: Apache-2.0
/**
 * The names by which a graph refers to modules: register() takes a module's name when the graph is built, and a worker
 * requires the module by it.
 */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";

/** A module of a package, as `package/path/in/it` or `@scope/package/path/in/it`; the path cannot leave the package. */
const NAME = /^((?:@[\w.-]+\/)?[\w-][\w.-]*)((?:\/[\w-][\w.-]*)*)$/;

/**
 * Returns the name by which another process finds a compiled module: the name of the file's package, and the file's
 * path in it without `.js`. Throws for a file that is no `.js` file of a named package.
 */
export function moduleNameOf(file: string): string {
  for (const folder of foldersAbove(file)) {
    const name = packageName(folder);
    if (name === undefined) continue;
    const inPackage = path.relative(folder, file).split(path.sep).join("/").replace(/\.js$/, "");
    if (!file.endsWith(".js") || !NAME.test(`${name}/${inPackage}`)) break;
    return `${name}/${inPackage}`;
  }
  throw new Error(`${file} is not a .js file of a package with a name, so that no worker can find it`);
}

/**
 * Requires the module of that name: in the package in which this process was started, or to which engine/ belongs;
 * otherwise as Node finds it. Throws for an invalid name and for a missing module.
 */
export function requireModule(name: string): unknown {
  const [, wanted, inPackage] = NAME.exec(name) ?? [];
  if (wanted === undefined) throw new Error(`"${name}" is not the name of a module`);
  const starts = [path.join(process.cwd(), "package.json"), require.main?.filename, __filename];
  for (const start of starts) {
    const root = start === undefined ? undefined : foldersAbove(start).find((folder) => packageName(folder) === wanted);
    if (root !== undefined) return require(path.join(root, inPackage ?? ""));
  }
  return require(name);
}

function foldersAbove(file: string): string[] {
  const folders: string[] = [];
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    folders.push(folder);
    if (folder === path.dirname(folder)) return folders;
  }
}

function packageName(folder: string): string | undefined {
  const manifest = path.join(folder, "package.json");
  if (!existsSync(manifest)) return undefined;
  return (JSON.parse(readFileSync(manifest, "utf8")) as { name?: string }).name;
}
