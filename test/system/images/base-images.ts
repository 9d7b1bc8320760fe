// SPDX-License-Identifier: Apache-2.0
/**
 * Stand-ins for the base images: the programs that the Dockerfile takes from one, and the files that a program without
 * a shell finds in the other.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The root of the checkout; this file runs from dist/test/system/images. */
export const ROOT = join(__dirname, "..", "..", "..", "..");
export const DOCKERFILE = readFileSync(join(ROOT, "docker", "Dockerfile"), "utf8");
export const IGNORED = readFileSync(join(ROOT, ".dockerignore"), "utf8");
export const BUILD_BASE = "node:24.21.0-bookworm-slim";
export const RUNTIME_BASE = "gcr.io/distroless/cc-debian12:nonroot";

/** A folder that everybody may look into: the images' programs run as another user. */
export function openFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `viewmill-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}

export function removeFolder(folder: string | undefined): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
}

/** Folders by the image they stand for. */
export function baseImages(folder: string): Record<string, string> {
  const [build, runtime] = [join(folder, "build-base"), join(folder, "runtime-base")];
  mkdirSync(join(build, "usr", "local", "bin"), { recursive: true });
  copyFileSync(process.execPath, join(build, "usr", "local", "bin", "node"));
  writeFileSync(join(build, "usr", "local", "LICENSE"), "stands for the licence of Node\n");
  for (const each of ["dev", "proc", "etc", "tmp"]) mkdirSync(join(runtime, each), { recursive: true });
  chmodSync(join(runtime, "tmp"), 0o1777);
  writeFileSync(join(runtime, "etc", "passwd"), "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n");
  // An engine writes it into every container.
  writeFileSync(join(runtime, "etc", "hosts"), "127.0.0.1 localhost\n");
  for (const library of librariesOf(process.execPath)) {
    mkdirSync(join(runtime, dirname(library)), { recursive: true });
    copyFileSync(library, join(runtime, library));
    chmodSync(join(runtime, library), 0o755);
  }
  return { [BUILD_BASE]: build, [RUNTIME_BASE]: runtime };
}

/** Absolute paths of the shared libraries that a program loads, its loader among them. */
function librariesOf(program: string): string[] {
  const { stdout, status } = spawnSync("ldd", [program], { encoding: "utf8" });
  if (status !== 0) throw new Error(`ldd ${program} failed`);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
}
