// SPDX-License-Identifier: Apache-2.0
/**
 * Java processes as the test servers run them: small, quiet, leaving nothing outside of their folder. Every server of
 * Java is started with these arguments.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** The flags that Flink and Beam need with Java 17. */
const OPENED = [
  "java.lang",
  "java.lang.invoke",
  "java.lang.reflect",
  "java.util",
  "java.util.concurrent",
  "java.util.concurrent.atomic",
  "java.nio",
  "java.net",
  "java.io",
  "java.text",
  "java.time",
  "sun.nio.ch",
].map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`);

/** Loggers that say too much at `info`. */
const QUIET = ["org.apache.kafka", "kafka", "org.apache.pekko", "org.apache.flink.shaded", "org.apache.zookeeper"];

export interface JavaProgram {
  /** Folders of classes and `folder/*` of jars, in order. */
  classPath: readonly string[];
  mainClass: string;
  args: readonly string[];
  heapMb: number;
  /** Further arguments of the virtual machine. */
  jvmArgs?: readonly string[];
  logLevel?: "info" | "warn";
  /** Temporary files of native libraries go here. */
  folder: string;
}

export function javaArgs(program: JavaProgram): string[] {
  const temporary = join(program.folder, "java-tmp");
  mkdirSync(temporary, { recursive: true });
  return [
    `-Xmx${program.heapMb}m`,
    // kill -9 would leave its file in the system's temporary folder.
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    `-Djava.io.tmpdir=${temporary}`,
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
    ...(program.jvmArgs ?? []),
    ...OPENED,
    `-Dorg.slf4j.simpleLogger.defaultLogLevel=${program.logLevel ?? "info"}`,
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    ...QUIET.map((logger) => `-Dorg.slf4j.simpleLogger.log.${logger}=warn`),
    "-cp",
    program.classPath.join(":"),
    program.mainClass,
    ...program.args,
  ];
}

/**
 * For servers whose speed nobody measures: they start sooner, take less of the processor while they do, and stay
 * smaller. And for TaskManagers of Viewmill's job, measured or not: in runs of minutes the second compiler took more
 * than it gave back (docs/decisions/0007-cluster.md).
 */
export const SMALL_JVM = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

/** For long work in Java: with everything a virtual machine can do, once it has learnt the code. */
export const FAST_JVM = ["-XX:+UseG1GC"];
