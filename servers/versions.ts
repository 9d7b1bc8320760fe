// SPDX-License-Identifier: Apache-2.0
/**
 * All versions of the test servers. Newer ones are set here and nowhere else. Every recipe takes its version from it.
 */
export const VERSIONS = {
  /** Newer pairs of Beam and Flink have no job server on Maven that resolves without its shadow jar. */
  beam: "2.62.0",
  flink: "1.19.0",
  flinkOperator: "1.10.0",
  kustomize: "v5.7.1",
  /** The name Beam gives its runner for that Flink. */
  beamFlinkRunner: "1.19",
  /** For that Flink; the benchmark's native job reads with it. */
  flinkConnectorKafka: "3.3.0-1.19",
  jamm: "0.4.0",
  slf4j: "1.7.36",
  kafka: "4.1.1",
  kafkaScala: "2.13",
  bigtableEmulator: "0.220.0",
  pubsub: "v2.8.0",
  fakeGcsServer: "v1.56.1",
  envoy: "1.40.0",
  hadolint: "2.15.1",
  grpcioTools: "1.85.1",
  mavenDependencyPlugin: "3.8.1",
  /** The last under the Mozilla Public License. */
  terraform: "v1.5.7",
  terraformPluginGo: "v0.22.0",
  /** Types generated from version 6.50.0 of Google's provider. */
  cdktfProviderGoogle: "16.12.1",
  checkov: "3.3.30",
  kubernetesValidate: "1.37.0",
  /** librdkafka 2.16.0. */
  confluentKafka: "2.16.1",
  schemathesis: "4.32.5",
  pyarrow: "26.0.1",
  /** The version of Go's SDK, which may differ from Java's. */
  prism: "v2.77.0",
} as const;
