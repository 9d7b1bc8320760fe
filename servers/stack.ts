// SPDX-License-Identifier: Apache-2.0
/**
 * The servers by name for `npm run servers`: their start, their health, and the settings to use them. `npm run servers`
 * and its holder process use it.
 */
import { bigtableAnswers, startBigtableEmulator } from "./bigtable-emulator";
import { expansionAnswers, startExpansionService } from "./expansion-service";
import { flinkAnswers, startFlinkCluster } from "./flink-cluster";
import { gcsAnswers, startGcsEmulator } from "./gcs-emulator";
import { jobServerAnswers, startJobServer } from "./job-server";
import { startKafka } from "./kafka";
import { kafkaAnswers } from "./kafka-answers";
import { pubsubAnswers, pubsubRestAnswers, startPubsubEmulator } from "./pubsub-emulator";
import type { Server } from "./server-process";
import { SERVER_NAMES, type ServerName } from "./tools";

/** The addresses of one running server, by their names. */
export type Addresses = Readonly<Record<string, string>>;
export type Running = Partial<Record<ServerName, Addresses>>;

interface Started {
  server: Server;
  addresses: Addresses;
}

/** `[local]` runs the jobs inside of the job server. */
const LOCAL_JOB_SERVER_HEAP_MB = 1024;

/** `running`: what the server may build on; a job server submits to the Flink cluster there, or has one inside. */
export async function startServer(name: ServerName, running: Running): Promise<Started> {
  switch (name) {
    case "kafka": {
      const server = await startKafka();
      return { server, addresses: { bootstrap: server.bootstrap } };
    }
    case "bigtable": {
      const server = await startBigtableEmulator();
      return { server, addresses: { host: server.host } };
    }
    case "pubsub": {
      const server = await startPubsubEmulator();
      return { server, addresses: { host: server.host, restUrl: server.restUrl } };
    }
    case "gcs": {
      const server = await startGcsEmulator();
      return { server, addresses: { endpoint: server.endpoint } };
    }
    case "flink": {
      const server = await startFlinkCluster();
      const { restUrl, rpcAddress, master, jobConfigFolder } = server;
      return { server, addresses: { restUrl, rpcAddress, master, jobConfigFolder } };
    }
    case "job-server": {
      const { flink } = running;
      const server = await startJobServer(
        flink === undefined
          ? { heapMb: LOCAL_JOB_SERVER_HEAP_MB }
          : { flinkMaster: flink.master!, configFolder: flink.jobConfigFolder! },
      );
      return { server, addresses: { endpoint: server.endpoint, submitsTo: flink?.master ?? "[local]" } };
    }
    case "expansion": {
      const server = await startExpansionService();
      return { server, addresses: { endpoint: server.endpoint } };
    }
    default:
      return name satisfies never;
  }
}

/** Rejects, or resolves to false, when it does not. */
export async function answers(name: ServerName, addresses: Addresses): Promise<boolean> {
  switch (name) {
    case "kafka":
      return kafkaAnswers(addresses.bootstrap!);
    case "bigtable":
      return bigtableAnswers(addresses.host!);
    case "pubsub":
      return (await pubsubAnswers(addresses.host!)) && pubsubRestAnswers(addresses.restUrl!);
    case "gcs":
      return gcsAnswers(addresses.endpoint!);
    case "flink":
      return flinkAnswers(addresses.restUrl!);
    case "job-server":
      return jobServerAnswers(addresses.endpoint!);
    case "expansion":
      return expansionAnswers(addresses.endpoint!);
    default:
      return name satisfies never;
  }
}

/**
 * Environment that makes Google's clients and Viewmill use the server; a cluster's settings are one choice of several,
 * so kinds are not set.
 */
export function environmentFor(name: ServerName, addresses: Addresses): Record<string, string> {
  switch (name) {
    case "kafka":
      return { VIEWMILL_LOG_KAFKA_BROKERS: addresses.bootstrap! };
    case "bigtable":
      return { BIGTABLE_EMULATOR_HOST: addresses.host!, VIEWMILL_COUNTERS_ENDPOINT: addresses.host! };
    case "pubsub":
      return {
        PUBSUB_EMULATOR_HOST: addresses.host!,
        VIEWMILL_LOG_PUBSUB_ENDPOINT: addresses.host!,
        VIEWMILL_LOG_PUBSUB_REST_ENDPOINT: addresses.restUrl!,
      };
    case "gcs":
      return { STORAGE_EMULATOR_HOST: addresses.endpoint!, VIEWMILL_GCS_ENDPOINT: addresses.endpoint! };
    case "flink":
      return { VIEWMILL_FLINK_REST_URL: addresses.restUrl! };
    case "job-server":
      return { VIEWMILL_FLINK_JOB_SERVER: addresses.endpoint! };
    case "expansion":
      return { VIEWMILL_FLINK_EXPANSION_SERVICE: addresses.endpoint! };
    default:
      return name satisfies never;
  }
}

/** Every server comes after those on which it is built. */
export const inStartOrder = (names: readonly ServerName[]): ServerName[] =>
  SERVER_NAMES.filter((name) => names.includes(name));
