/** Beam's Java expansion service: makes Java's Kafka and Pub/Sub sources available to a TypeScript pipeline. */
import { beamClassPath, beamRecipe } from "./beam-jars";
import { installed } from "./cache";
import { ClassArchive } from "./class-archive";
import { freePort } from "./free-port";
import { grpcAnswers } from "./grpc-answers";
import { javaArgs, SMALL_JVM } from "./java";
import { inNewFolder, type Killable, type Server, ServerProcess, serverOf } from "./server-process";

export type ExpansionService = { endpoint: string } & Server & Killable;

export interface ExpansionOptions {
  /** Reads as Flink can checkpoint them. False: as Beam does elsewhere, where a runner may have a source of its own. Default true. */
  deprecatedRead?: boolean;
}

/** What it expands runs in the TaskManager's own process (environment `EMBEDDED`). */
export async function startExpansionService({
  deprecatedRead = true,
}: ExpansionOptions = {}): Promise<ExpansionService> {
  const install = await installed(beamRecipe);
  return inNewFolder("expansion", async (folder, started) => {
    const port = await freePort();
    const endpoint = `127.0.0.1:${port}`;
    const classPath = beamClassPath(install);
    const classes = new ClassArchive({ name: "expansion", classPath, wanted: "/PipelineValidator", folder });
    const server = new ServerProcess({
      name: "expansion",
      command: "java",
      args: javaArgs({
        classPath,
        mainClass: "org.apache.beam.sdk.expansion.service.ExpansionService",
        args: [
          String(port),
          "--defaultEnvironmentType=EMBEDDED",
          ...(deprecatedRead ? ["--experiments=use_deprecated_read"] : []),
        ],
        heapMb: 256,
        jvmArgs: [...SMALL_JVM, ...classes.jvmArgs()],
        folder,
      }),
      folder,
      answers: () => expansionAnswers(endpoint),
      classes,
    });
    started.push(server);
    await server.start();
    return serverOf("expansion", { endpoint }, server, folder);
  });
}

/** An empty request is answered with what is wrong with it. */
export const expansionAnswers = (endpoint: string): Promise<boolean> =>
  grpcAnswers(endpoint, "/org.apache.beam.model.expansion.v1.ExpansionService/Expand");
