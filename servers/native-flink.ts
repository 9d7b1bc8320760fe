// SPDX-License-Identifier: Apache-2.0
/**
 * The counting job written by hand on Flink's DataStream API (bench/flink/native). Its first use downloads its
 * connectors with Maven, compiles it with javac against the cluster's jars, and keeps the jar in the cache of servers.
 * The benches compare Viewmill's streaming job with it.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beamRecipe } from "./beam-jars";
import { installed, type Recipe, ROOT, runTool } from "./cache";
import { submitJar } from "./flink-client";
import type { FlinkCluster } from "./flink-cluster";
import { jarsRecipe } from "./maven";
import { VERSIONS } from "./versions";

const SOURCES = join(ROOT, "bench", "flink", "native");
const JAR = "native-flink.jar";
const ALL = ["*:*"];

/** Kafka's client is on the cluster's class path already. */
const CONNECTORS = [
  {
    groupId: "org.apache.flink",
    artifactId: "flink-connector-kafka",
    version: VERSIONS.flinkConnectorKafka,
    exclusions: ALL,
  },
  { groupId: "org.apache.flink", artifactId: "flink-connector-base", version: VERSIONS.flink, exclusions: ALL },
];

function sources(): string[] {
  return readdirSync(SOURCES)
    .filter((name) => name.endsWith(".java"))
    .sort()
    .map((name) => join(SOURCES, name));
}

function nativeFlinkRecipe(): Recipe {
  const files = sources();
  const texts = files.map((file) => readFileSync(file, "utf8"));
  return jarsRecipe("native-flink", VERSIONS.flinkConnectorKafka, CONNECTORS, {
    inputs: [beamRecipe.version, beamRecipe.inputs, ...texts].join("\n"),
    build: (folder) => compile(folder, files),
  });
}

async function compile(folder: string, files: readonly string[]): Promise<void> {
  const beam = await installed(beamRecipe);
  const classes = join(folder, "classes");
  mkdirSync(classes);
  const classPath = [join(beam, "lib", "*"), join(folder, "lib", "*")].join(":");
  await runTool("javac", ["-proc:none", "-nowarn", "-cp", classPath, "-d", classes, ...files], { cwd: folder });
  await runTool("jar", ["--create", "--file", join(folder, JAR), "-C", classes, "."], { cwd: folder });
  rmSync(classes, { recursive: true });
}

interface NativeJob {
  brokers: string;
  topic: string;
  parallelism: number;
  checkpointIntervalMs: number;
  /** Events received later than this after their time are dropped. */
  allowedLatenessMs: number;
  /** How far the watermark lags the append time, in ms. */
  graceMs: number;
  /** How long a late event waits for others before its cell is written again. */
  lateFiringMs: number;
  /** The bytes C3 01 and the schema fingerprint that begin each batch, in hex. */
  batchPrefix: string;
  /** The output folder; created when missing. Each attempt of each subtask writes one file (CellWriter). */
  output: string;
}

/** Name under which the cluster lists the job. */
export const NATIVE_JOB = "native-flink";

/** Resolves once the cluster has the job, which reads what the topic holds now and finishes. */
export async function submitNativeJob(cluster: FlinkCluster, job: NativeJob): Promise<void> {
  const install = await installed(nativeFlinkRecipe());
  const options: Record<string, string | number> = {
    brokers: job.brokers,
    topic: job.topic,
    parallelism: job.parallelism,
    "checkpoint-interval-ms": job.checkpointIntervalMs,
    "allowed-lateness-ms": job.allowedLatenessMs,
    "grace-ms": job.graceMs,
    "late-firing-ms": job.lateFiringMs,
    "batch-prefix": job.batchPrefix,
    output: job.output,
  };
  const connectors = CONNECTORS.map(({ artifactId, version }) => join(install, "lib", `${artifactId}-${version}.jar`));
  await submitJar(cluster, {
    jar: join(install, JAR),
    classPath: connectors,
    mainClass: "viewmill.bench.CountEvents",
    args: Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
  });
}
