// SPDX-License-Identifier: Apache-2.0
/** Google's Bigtable emulator: a Go program inside a jar. */
import { chmodSync, copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { installed, type Recipe, runTool } from "./cache";
import { freePort } from "./free-port";
import { RARE_COLLECTION } from "./go";
import { grpcAnswers, messageWithText } from "./grpc-answers";
import { copyJar } from "./maven";
import { inNewFolder, type Killable, type Server, ServerProcess, serverOf } from "./server-process";
import { VERSIONS } from "./versions";

/** As the jar names the platforms it holds. */
function platform(): string {
  const system = process.platform === "darwin" ? "darwin" : "linux";
  return `bigtable-${system}-${process.arch === "arm64" ? "arm" : "x86_64"}`;
}

export const bigtableRecipe: Recipe = {
  name: "bigtable",
  version: VERSIONS.bigtableEmulator,
  inputs: platform(),
  build: async (folder) => {
    const artifact = { groupId: "com.google.cloud", artifactId: "google-cloud-bigtable-emulator" };
    const unpacked = join(folder, "unpacked");
    const jar = await copyJar({ ...artifact, version: VERSIONS.bigtableEmulator }, unpacked);
    const inside = `gcloud/${platform()}/platform/bigtable-emulator/cbtemulator`;
    await runTool("jar", ["xf", jar, inside], { cwd: unpacked });
    copyFileSync(join(unpacked, inside), join(folder, "cbtemulator"));
    chmodSync(join(folder, "cbtemulator"), 0o755);
    rmSync(unpacked, { recursive: true });
  },
};

export type BigtableEmulator = { host: string } & Server & Killable;

/**
 * Starts the emulator. `host` is the value for BIGTABLE_EMULATOR_HOST. Everything is in memory, so `restart` starts an
 * empty one.
 */
export async function startBigtableEmulator(): Promise<BigtableEmulator> {
  const install = await installed(bigtableRecipe);
  return inNewFolder("bigtable", async (folder, started) => {
    const port = await freePort();
    const host = `127.0.0.1:${port}`;
    const server = new ServerProcess({
      name: "bigtable",
      command: join(install, "cbtemulator"),
      args: ["-host", "127.0.0.1", "-port", String(port)],
      folder,
      env: RARE_COLLECTION,
      answers: () => bigtableAnswers(host),
    });
    started.push(server);
    await server.start();
    return serverOf("bigtable", { host }, server, folder);
  });
}

export function bigtableAnswers(host: string): Promise<boolean> {
  const parent = messageWithText("projects/ready/instances/ready");
  return grpcAnswers(host, "/google.bigtable.admin.v2.BigtableTableAdmin/ListTables", parent);
}
