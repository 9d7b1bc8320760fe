// SPDX-License-Identifier: Apache-2.0
/**
 * The time of day of a Kafka broker that uses a `ProcessClock`. Kafka is started with it where a test moves the clock.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { installed, type Recipe, ROOT, runTool } from "./cache";
import type { ProcessClock } from "./process-clock";
import { VERSIONS } from "./versions";

const SYSTEM_TIME = join("org", "apache", "kafka", "common", "utils", "SystemTime.java");
const SOURCE = readFileSync(join(ROOT, "servers", "shifted-kafka-time.java"), "utf8");
const JAR = "kafka-clock.jar";

interface KafkaClock {
  /** Before Kafka's own jars. */
  classPath: readonly string[];
  jvmArgs: readonly string[];
}

/** `kafka`: the folder in which Kafka is installed. Without a clock: the machine's. */
export async function kafkaClock(clock: ProcessClock | undefined, kafka: string): Promise<KafkaClock> {
  if (clock === undefined) return { classPath: [], jvmArgs: [] };
  const folder = await installed(kafkaClockRecipe(kafka));
  return { classPath: [join(folder, JAR)], jvmArgs: [`-Dviewmill.clock=${clock.file}`] };
}

const kafkaClockRecipe = (kafka: string): Recipe => ({
  name: "kafka-clock",
  version: VERSIONS.kafka,
  inputs: SOURCE,
  build: async (folder) => {
    const [sources, classes] = [join(folder, "source"), join(folder, "classes")];
    const source = join(sources, SYSTEM_TIME);
    mkdirSync(dirname(source), { recursive: true });
    writeFileSync(source, SOURCE);
    await runTool("javac", ["-cp", join(kafka, "lib", "*"), "-d", classes, source], { cwd: folder });
    await runTool("jar", ["--create", "--file", join(folder, JAR), "-C", classes, "."], { cwd: folder });
    for (const used of [sources, classes]) rmSync(used, { recursive: true });
  },
});
