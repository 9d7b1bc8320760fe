// SPDX-License-Identifier: Apache-2.0
/**
 * Beam's job server for Flink: takes a pipeline over gRPC and submits it to a cluster, or runs a small cluster inside.
 */
import { join } from "node:path";
import { beamRecipe, classPathWithoutStaging } from "./beam-jars";
import { installed } from "./cache";
import { freePort } from "./free-port";
import { grpcAnswers } from "./grpc-answers";
import { SMALL_JVM } from "./java";
import { javaServer } from "./java-server";
import { inNewFolder, type Killable, type Server, serverOf } from "./server-process";

interface JobServerOptions {
  /** `host:port` of a cluster's REST interface (`FlinkCluster.master`), or `[local]`, the default: a cluster inside. */
  flinkMaster?: string;
  /** Folder of a config.yaml that jobs are built with (`FlinkCluster.jobConfigFolder`). */
  configFolder?: string;
  /** Default 512; `[local]` runs the jobs in it too, and wants more. */
  heapMb?: number;
}

export type JobServer = { endpoint: string; artifactEndpoint: string } & Server & Killable;

/** Uploads no jars: a remote cluster has to have Beam's on its own class path. */
export async function startJobServer(options: JobServerOptions = {}): Promise<JobServer> {
  const install = await installed(beamRecipe);
  return inNewFolder("job-server", async (folder, started) => {
    const ports = { job: await freePort(), artifact: await freePort(), expansion: await freePort() };
    const endpoint = `127.0.0.1:${ports.job}`;
    const args = [
      "--job-host=127.0.0.1",
      `--job-port=${ports.job}`,
      `--artifact-port=${ports.artifact}`,
      `--expansion-port=${ports.expansion}`,
      `--artifacts-dir=${join(folder, "artifacts")}`,
      `--flink-master=${options.flinkMaster ?? "[local]"}`,
    ];
    if (options.configFolder !== undefined) args.push(`--flink-conf-dir=${options.configFolder}`);
    const server = javaServer({
      name: "job-server",
      folder,
      classPath: classPathWithoutStaging(install),
      mainClass: "org.apache.beam.runners.flink.FlinkJobServerDriver",
      args,
      heapMb: options.heapMb ?? 512,
      jvmArgs: SMALL_JVM,
      archive: { name: "job-server", wanted: "/GreedyPipelineFuser" },
      answers: () => jobServerAnswers(endpoint),
    });
    started.push(server);
    await server.start();
    return serverOf("job-server", { endpoint, artifactEndpoint: `127.0.0.1:${ports.artifact}` }, server, folder);
  });
}

export const jobServerAnswers = (endpoint: string): Promise<boolean> =>
  grpcAnswers(endpoint, "/org.apache.beam.model.job_management.v1.JobService/GetJobs");
