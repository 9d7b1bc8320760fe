// SPDX-License-Identifier: Apache-2.0
/** Real servers and official emulators for tests and for the demonstration: see docs/servers.md. */
export { type BigtableEmulator, startBigtableEmulator } from "./bigtable-emulator";
export { type DebianProgram, debianProgram, debianProgramIsToBeHad } from "./debian";
export { type ExpansionService, startExpansionService } from "./expansion-service";
export { type FaultProxy, startFaultProxy } from "./fault-proxy";
export { type FlinkCluster, type FlinkOptions, startFlinkCluster } from "./flink-cluster";
export { freePort } from "./free-port";
export { type GcsEmulator, type GcsOptions, startGcsEmulator } from "./gcs-emulator";
export { type JobServer, startJobServer } from "./job-server";
export { type KafkaOptions, type KafkaServer, startKafka } from "./kafka";
export { keptFolder, removeKeptFolder } from "./kept";
export { flinkOperatorProblems, kubernetesProblems, kustomized } from "./kubernetes";
export { librdkafkaTransactions } from "./librdkafka";
export { NATIVE_JOB, submitNativeJob } from "./native-flink";
export { Nginx } from "./nginx";
export { type Prism, startPrism } from "./prism";
export { ProcessClock } from "./process-clock";
export { type PubsubEmulator, startPubsubEmulator } from "./pubsub-emulator";
export { pyarrowRows } from "./pyarrow";
export { type Killable, type Server, ServerProcess } from "./server-process";
export { type CheckovFindings, checkovFindings, type TerraformProgram, terraformProgram } from "./terraform";
export { type CheckerName, missingTools, type ServerName } from "./tools";
