// SPDX-License-Identifier: Apache-2.0
/** The deployment of these tests: all in Google Cloud. */
import { type Config, configSchema } from "../../../cli/config/schema";
import { DATA_BUCKET, IMAGE, PROJECT, REGION, SERVICE_ACCOUNT, STAGING_BUCKET } from "./google-world";

export const goldenConfig = (more: { endpoint?: string; data?: string } = {}): Config =>
  configSchema.parse({
    data: more.data ?? "/nowhere",
    project: PROJECT,
    log: { kind: "pubsub" },
    archive: { kind: "gcs" },
    gcs: { bucket: DATA_BUCKET },
    counters: { kind: "bigtable" },
    deadLetters: { kind: "gcs" },
    claims: { kind: "gcs" },
    dataflow: {
      region: REGION,
      tempLocation: `gs://${STAGING_BUCKET}/dataflow`,
      image: IMAGE,
      serviceAccount: SERVICE_ACCOUNT,
      subnetwork: `regions/${REGION}/subnetworks/viewmill`,
      network: "viewmill",
      publicIps: false,
      machineType: "n2-standard-4",
      numWorkers: 2,
      maxWorkers: 10,
      diskSizeGb: 30,
      kmsKey: `projects/${PROJECT}/locations/${REGION}/keyRings/viewmill/cryptoKeys/dataflow`,
      labels: { team: "counting" },
      serviceOptions: ["enable_google_cloud_profiler"],
      endpoint: more.endpoint ?? "",
    },
  });
