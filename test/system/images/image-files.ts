// SPDX-License-Identifier: Apache-2.0
/** The files of a built image, with mode and owner, for the tests of what an image holds (images.test.ts). */
import { lstatSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";

export interface ImageFile {
  /** From the image's root, with a slash before. */
  readonly path: string;
  readonly bytes: number;
  readonly mode: number;
  readonly uid: number;
  readonly isFolder: boolean;
}

export function imageFiles(root: string): ImageFile[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" }).map((name) => {
    const { size, mode, uid, ...stats } = lstatSync(join(root, name));
    const isFolder = (mode & 0o170000) === 0o040000;
    void stats;
    return { path: `/${relative(".", name)}`, bytes: isFolder ? 0 : size, mode, uid, isFolder };
  });
}

/** Files that must not be in an image: secrets, and the tools and files of development. */
const FORBIDDEN: readonly [string, RegExp][] = [
  ["a secret", /(?:^|\/)(?:\.env(?:\..*)?|\.npmrc|\.netrc|id_rsa|credentials\.json|.*\.(?:pem|key|p12|pfx|jks))$/],
  ["version control", /(?:^|\/)\.git(?:\/|$)/],
  ["a source map or a type declaration", /^\/app\/.*\.(?:map|[cm]?ts|tsbuildinfo)$/],
  [
    "a folder of development",
    /^\/app\/(?:docs|(?:dist\/)?(?:test|bench|demo|servers|scripts|docker|terraform|data))(?:\/|$)/,
  ],
  ["a link to a program", /^\/app\/node_modules\/\.bin(?:\/|$)/],
  ["a shell or a package manager", /\/(?:bin|sbin)\/(?:sh|bash|npm|npx|corepack)$|\/node_modules\/(?:npm|corepack)\//],
];

/**
 * One line for each file that should not be there; `developmentPackages`: folders of those that are only for
 * development, as the lockfile names them.
 */
export function misplaced(paths: readonly string[], developmentPackages: readonly string[]): string[] {
  const packages = new Set(developmentPackages.map((name) => `/app/${name}/package.json`));
  return paths.flatMap((path) => {
    const found = FORBIDDEN.filter(([, pattern]) => pattern.test(path)).map(([what]) => `${path}: ${what}`);
    return packages.has(path) ? [...found, `${path}: a package of development`] : found;
  });
}
