// SPDX-License-Identifier: Apache-2.0
/** Flink's own command line client, for jobs that come as a jar. The native job of the benches is submitted with it. */
import { beamClassPath, beamRecipe } from "./beam-jars";
import { installed, runTool } from "./cache";
import type { FlinkCluster } from "./flink-cluster";
import { javaArgs, SMALL_JVM } from "./java";
import { keptFolder, removeKeptFolder } from "./kept";

interface JarJob {
  jar: string;
  /** Jars the job needs beside what the cluster has: read from this machine by every process of the cluster. */
  classPath: readonly string[];
  mainClass: string;
  args: readonly string[];
}

const SUBMIT_DEADLINE_MS = 900_000;

/**
 * `flink run --detached`, with the cluster's settings for jobs; resolves once the cluster has the job. Rejects with the
 * last of what the client printed.
 */
export async function submitJar(cluster: FlinkCluster, job: JarJob): Promise<void> {
  const install = await installed(beamRecipe);
  const folder = await keptFolder("flink-client");
  try {
    const classPath = job.classPath.flatMap((jar) => ["--classpath", `file://${jar}`]);
    const args = javaArgs({
      classPath: beamClassPath(install),
      mainClass: "org.apache.flink.client.cli.CliFrontend",
      args: [
        "run",
        "--detached",
        "--jobmanager",
        cluster.master,
        ...classPath,
        "--class",
        job.mainClass,
        job.jar,
        ...job.args,
      ],
      heapMb: 256,
      jvmArgs: SMALL_JVM,
      folder,
    });
    await runTool("java", args, {
      cwd: folder,
      env: { FLINK_CONF_DIR: cluster.jobConfigFolder },
      deadlineMs: SUBMIT_DEADLINE_MS,
    });
  } finally {
    await removeKeptFolder(folder);
  }
}
