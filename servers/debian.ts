// SPDX-License-Identifier: Apache-2.0
/**
 * Programs that Debian packages: used where they are, installed where this process may. nginx, Redis and Prometheus
 * come from it, for tests and benches.
 */
import { spawnSync } from "node:child_process";
import { locked } from "./cache";

const PROGRAMS = {
  chromium: "chromium",
  nginx: "nginx-light",
  openssl: "openssl",
  prometheus: "prometheus",
  promtool: "prometheus",
  "redis-server": "redis-server",
} as const;
export type DebianProgram = keyof typeof PROGRAMS;

const INSTALL_DEADLINE_MS = 10 * 60_000;

/** Whether the program is here, or could be installed by this process. */
export function debianProgramIsToBeHad(program: DebianProgram): boolean {
  return isOnPath(program) || mayInstall();
}

/** The path of the program, installed first where it is missing. Throws where it cannot be had. */
export async function debianProgram(program: DebianProgram): Promise<string> {
  if (!isOnPath(program)) await locked("debian-packages", async () => installPackage(PROGRAMS[program], program));
  return which(program);
}

function installPackage(name: string, program: DebianProgram): void {
  // Another process may have installed it while this one waited for the lock.
  if (isOnPath(program)) return;
  if (!mayInstall()) throw new Error(`${program} is not here, and this process may not install packages`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update"], ["install", "--yes", "--no-install-recommends", name]]) {
    const { status, stderr } = spawnSync("apt-get", ["-q", ...args], {
      env,
      encoding: "utf8",
      timeout: INSTALL_DEADLINE_MS,
    });
    if (status !== 0) throw new Error(`apt-get ${args.join(" ")} failed: ${stderr.slice(-1000)}`);
  }
}

function mayInstall(): boolean {
  return process.getuid?.() === 0 && isOnPath("apt-get");
}

const isOnPath = (program: string): boolean => which(program) !== "";

function which(program: string): string {
  return spawnSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).stdout.trim();
}
