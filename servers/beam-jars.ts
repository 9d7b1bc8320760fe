// SPDX-License-Identifier: Apache-2.0
/**
 * Beam's Flink runner with its job server, expansion service and Java harness, and Flink itself: one class path for all
 * of them. The Flink cluster, the job server and the expansion service start from it.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Recipe, ROOT, runTool } from "./cache";
import { jarsRecipe } from "./maven";
import { VERSIONS } from "./versions";

const beam = (artifactId: string, exclusions: readonly string[] = []) => ({
  groupId: "org.apache.beam",
  artifactId,
  version: VERSIONS.beam,
  exclusions,
});

const DETECTOR = join(
  "org",
  "apache",
  "beam",
  "sdk",
  "util",
  "construction",
  "resources",
  "ClasspathScanningResourcesDetector",
);
const DETECTOR_SOURCE = readFileSync(join(ROOT, "servers", "no-jars-to-stage.java"), "utf8");
const NO_JARS = "no-jars-to-stage";

export const beamRecipe: Recipe = jarsRecipe(
  "beam",
  `${VERSIONS.beam}-flink-${VERSIONS.flink}`,
  [
    beam(`beam-runners-flink-${VERSIONS.beamFlinkRunner}`),
    beam("beam-sdks-java-harness"),
    beam("beam-sdks-java-expansion-service"),
    // Confluent's artifacts are not on Maven Central.
    beam("beam-sdks-java-io-kafka", ["io.confluent:*"]),
    beam("beam-sdks-java-io-google-cloud-platform"),
    { groupId: "org.apache.flink", artifactId: "flink-statebackend-rocksdb", version: VERSIONS.flink },
    // Beam's state caches measure objects with this jar, and do not declare it.
    { groupId: "com.github.jbellis", artifactId: "jamm", version: VERSIONS.jamm },
    { groupId: "org.slf4j", artifactId: "slf4j-simple", version: VERSIONS.slf4j },
  ],
  { inputs: `${DETECTOR_SOURCE} in a jar`, build: compileDetector },
);

async function compileDetector(folder: string): Promise<void> {
  const source = join(folder, "source", `${DETECTOR}.java`);
  mkdirSync(dirname(source), { recursive: true });
  writeFileSync(source, DETECTOR_SOURCE);
  const classes = join(folder, NO_JARS);
  await runTool("javac", ["-cp", join(folder, "lib", "*"), "-d", classes, source], { cwd: folder });
  // A class path with a folder in it has no archive of classes.
  await runTool("jar", ["--create", "--file", `${classes}.jar`, "-C", classes, "."], { cwd: folder });
  for (const used of [join(folder, "source"), classes]) rmSync(used, { recursive: true });
}

export const beamClassPath = (install: string): string[] => [join(install, "lib", "*")];

/**
 * Returns the class path with Beam's detector of jars replaced by one that finds none: for a job server whose cluster
 * has all jars.
 */
export const classPathWithoutStaging = (install: string): string[] => [
  join(install, `${NO_JARS}.jar`),
  join(install, "lib", "*"),
];
