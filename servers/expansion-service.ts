// SPDX-License-Identifier: Apache-2.0
/** Beam's Java expansion service: makes Java's Kafka and Pub/Sub sources available to a TypeScript pipeline. */
import { beamClassPath, beamRecipe } from "./beam-jars";
import { installed } from "./cache";
import { freePort } from "./free-port";
import { grpcAnswers } from "./grpc-answers";
import { SMALL_JVM } from "./java";
import { javaServer } from "./java-server";
import { inNewFolder, type Killable, type Server, serverOf } from "./server-process";

export type ExpansionService = { endpoint: string } & Server & Killable;

interface ExpansionOptions {
  /**
   * Reads as Flink can checkpoint them. False: as Beam does elsewhere, where a runner may have a source of its own.
   * Default true.
   */
  deprecatedRead?: boolean;
}

/** Expanded transforms run in the TaskManager's own process (environment `EMBEDDED`). */
export async function startExpansionService({
  deprecatedRead = true,
}: ExpansionOptions = {}): Promise<ExpansionService> {
  const install = await installed(beamRecipe);
  return inNewFolder("expansion", async (folder, started) => {
    const port = await freePort();
    const endpoint = `127.0.0.1:${port}`;
    const server = javaServer({
      name: "expansion",
      folder,
      classPath: beamClassPath(install),
      mainClass: "org.apache.beam.sdk.expansion.service.ExpansionService",
      args: [
        String(port),
        "--defaultEnvironmentType=EMBEDDED",
        ...(deprecatedRead ? ["--experiments=use_deprecated_read"] : []),
      ],
      heapMb: 256,
      jvmArgs: SMALL_JVM,
      archive: { name: "expansion", wanted: "/PipelineValidator" },
      answers: () => expansionAnswers(endpoint),
    });
    started.push(server);
    await server.start();
    return serverOf("expansion", { endpoint }, server, folder);
  });
}

/** An empty request is answered with what is wrong with it. */
export const expansionAnswers = (endpoint: string): Promise<boolean> =>
  grpcAnswers(endpoint, "/org.apache.beam.model.expansion.v1.ExpansionService/Expand");
