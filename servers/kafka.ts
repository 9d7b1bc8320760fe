// SPDX-License-Identifier: Apache-2.0
/** Apache Kafka: one node, KRaft, broker and controller in one process. */
import { cpSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { installed, type Recipe, runTool } from "./cache";
import { freePort } from "./free-port";
import { FAST_JVM, SMALL_JVM } from "./java";
import { javaServer } from "./java-server";
import { type KafkaAccess, secureListener } from "./kafka-access";
import { kafkaAnswers } from "./kafka-answers";
import { kafkaClock } from "./kafka-clock";
import { jarsRecipe } from "./maven";
import type { ProcessClock } from "./process-clock";
import { inNewFolder, type Killable, type Server, serverOf } from "./server-process";
import { VERSIONS } from "./versions";

/** Large enough for every test of messages that are too large for another bound. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const CLUSTER_ID = "dmlld21pbGwtc2VydmVycw";
/** A killed broker may come back only once its session is over: with Kafka's 9 s that was 14 s. */
const SESSION_TIMEOUT_MS = 3_000;

export interface KafkaOptions {
  /** Default 512. */
  heapMb?: number;
  /** Whether a topic is created when a client asks for it; default false. */
  autoCreate?: boolean;
  /** Partitions of a topic created without a number; default 4. */
  partitions?: number;
  /** Whether its speed matters; default false: it starts sooner. */
  fast?: boolean;
  /** Whether it takes only clients that come over TLS and say who they are; default false. */
  secure?: boolean;
  /** The clock of the broker; default: the machine's. */
  clock?: ProcessClock;
}

/** `access`: of a secure one, what a client needs. */
export type KafkaServer = { bootstrap: string; access: KafkaAccess | undefined } & Server & Killable;

function properties(folder: string, ports: { broker: number; controller: number }, options: KafkaOptions): string {
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${ports.controller}
listeners=PLAINTEXT://127.0.0.1:${ports.broker},CONTROLLER://127.0.0.1:${ports.controller}
advertised.listeners=PLAINTEXT://127.0.0.1:${ports.broker}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=${join(folder, "data")}
num.partitions=${options.partitions ?? 4}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=${options.autoCreate ?? false}
message.max.bytes=${MAX_MESSAGE_BYTES}
replica.fetch.max.bytes=${MAX_MESSAGE_BYTES}
socket.request.max.bytes=${2 * MAX_MESSAGE_BYTES}
log.retention.ms=-1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=${SESSION_TIMEOUT_MS}
`;
}

/** Formatting the storage takes a JVM of its own, as long as starting Kafka does: done once, and copied. */
const FORMATTED = "formatted";

export const kafkaRecipe: Recipe = jarsRecipe(
  "kafka",
  VERSIONS.kafka,
  [
    { groupId: "org.apache.kafka", artifactId: `kafka_${VERSIONS.kafkaScala}`, version: VERSIONS.kafka },
    { groupId: "org.slf4j", artifactId: "slf4j-simple", version: VERSIONS.slf4j },
  ],
  {
    inputs: `${CLUSTER_ID} ${FORMATTED}`,
    build: async (folder) => {
      const config = join(folder, "format.properties");
      writeFileSync(config, properties(join(folder, FORMATTED), { broker: 1, controller: 2 }, {}));
      await format(folder, config, []);
    },
  },
);

async function format(install: string, config: string, more: readonly string[]): Promise<void> {
  const tool = ["-cp", join(install, "lib", "*"), "kafka.tools.StorageTool", "format"];
  await runTool("java", [...tool, "-t", CLUSTER_ID, "-c", config, ...more], { cwd: dirname(config) });
}

/** Up to 64 MiB a message, no retention. Data live until `stop`; `kill` and `restart` keep them. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const install = await installed(kafkaRecipe);
  return inNewFolder("kafka", async (folder, started) => {
    const ports = { broker: await freePort(), controller: await freePort() };
    const config = join(folder, "server.properties");
    writeFileSync(config, properties(folder, ports, options));
    const heapMb = options.heapMb ?? 512;
    const brokers = `127.0.0.1:${ports.broker}`;
    const clients = options.secure === true ? await secureListener(folder, config) : undefined;
    if (clients !== undefined) await format(install, config, clients.formatArgs);
    else cpSync(join(install, FORMATTED, "data"), join(folder, "data"), { recursive: true });
    const clock = await kafkaClock(options.clock, install);
    const server = javaServer({
      name: "kafka",
      folder,
      classPath: [...clock.classPath, join(install, "lib", "*")],
      mainClass: "kafka.Kafka",
      args: [config],
      heapMb,
      jvmArgs: [`-Xms${heapMb}m`, ...clock.jvmArgs, ...(options.fast === true ? FAST_JVM : SMALL_JVM)],
      logLevel: "warn",
      archive: { name: "kafka", wanted: "kafka/server/KafkaApis" },
      answers: () => kafkaAnswers(brokers),
    });
    started.push(server);
    await server.start();
    return serverOf("kafka", { bootstrap: clients?.bootstrap ?? brokers, access: clients?.access }, server, folder);
  });
}
