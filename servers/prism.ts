// SPDX-License-Identifier: Apache-2.0
/**
 * Beam's own runner for tests, with a watermark that a test advances (TestStream); no server of a deployment. The
 * golden tests run the counting graph on it.
 */
import { join } from "node:path";
import { installed } from "./cache";
import { freePort } from "./free-port";
import { goInstallRecipe, RARE_COLLECTION } from "./go";
import { jobServerAnswers } from "./job-server";
import { inNewFolder, type Server, ServerProcess, serverOf } from "./server-process";
import { VERSIONS } from "./versions";

const prismRecipe = goInstallRecipe("prism", "github.com/apache/beam/sdks/v2/go/cmd/prism", VERSIONS.prism);

export type Prism = { endpoint: string } & Server;

/** `endpoint` is that of a Beam job service, `host:port`. */
export async function startPrism(): Promise<Prism> {
  const program = join(await installed(prismRecipe), "prism");
  return inNewFolder("prism", async (folder, started) => {
    const port = await freePort();
    const endpoint = `127.0.0.1:${port}`;
    const server = new ServerProcess({
      name: "prism",
      command: program,
      args: [`--job_port=${port}`, "--serve_http=false", "--log_kind=text", "--log_level=warn"],
      folder,
      env: RARE_COLLECTION,
      answers: () => jobServerAnswers(endpoint),
    });
    started.push(server);
    await server.start();
    return serverOf("prism", { endpoint }, server, folder);
  });
}
