// SPDX-License-Identifier: Apache-2.0
/** fake-gcs-server: Cloud Storage's JSON and upload interfaces. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { installed } from "./cache";
import { freePort } from "./free-port";
import { goInstallRecipe, RARE_COLLECTION } from "./go";
import { httpAnswers } from "./http-answers";
import { inNewFolder, type Killable, type Server, ServerProcess, serverOf } from "./server-process";
import { VERSIONS } from "./versions";

export const gcsRecipe = goInstallRecipe(
  "fake-gcs-server",
  "github.com/fsouza/fake-gcs-server",
  VERSIONS.fakeGcsServer,
);

export interface GcsOptions {
  /** Default memory. With filesystem, objects outlive `kill` and `restart`, not `stop`. */
  backend?: "memory" | "filesystem";
}

export type GcsEmulator = { endpoint: string } & Server & Killable;

/** `endpoint` is what STORAGE_EMULATOR_HOST and the client's `apiEndpoint` take. */
export async function startGcsEmulator(options: GcsOptions = {}): Promise<GcsEmulator> {
  const install = await installed(gcsRecipe);
  return inNewFolder("gcs", async (folder, started) => {
    const port = await freePort();
    const endpoint = `http://127.0.0.1:${port}`;
    const objects = join(folder, "objects");
    mkdirSync(objects);
    const backend = options.backend ?? "memory";
    const args = ["-scheme", "http", "-host", "127.0.0.1", "-port", String(port), "-backend", backend];
    if (backend === "filesystem") args.push("-filesystem-root", objects);
    args.push("-external-url", endpoint, "-public-host", `127.0.0.1:${port}`, "-log-level", "warn");
    const server = new ServerProcess({
      name: "gcs",
      command: join(install, "fake-gcs-server"),
      args,
      folder,
      env: RARE_COLLECTION,
      answers: () => gcsAnswers(endpoint),
    });
    started.push(server);
    await server.start();
    return serverOf("gcs", { endpoint }, server, folder);
  });
}

export const gcsAnswers = (endpoint: string): Promise<boolean> => httpAnswers(`${endpoint}/storage/v1/b?project=ready`);
