// SPDX-License-Identifier: Apache-2.0
/** The prices behind a plan: `viewmill plan` computes costs with them. */

/**
 * List prices in US dollars, us-central1, without discounts, free tiers and taxes. Each has its source and date;
 * `--price` replaces any of them.
 */
interface Price {
  usd: number;
  per: string;
  /** The vendor's page. */
  url: string;
  /** Where the number was read, and the day. */
  read: string;
}

const BEAM_COSTS =
  "apache/beam sdks/python/apache_beam/testing/load_tests/dataflow_cost_consts.py, which cites the page; 2026-11-21";
const OPENCOST =
  'opencost/opencost configs/default.json ("Default prices based on GCP us-central1"; N2 on demand); 2026-11-21';
const BIGTABLE =
  "the page as quoted in two public notes on its prices, of 2026-08-14 and 2026-09-30 (Enterprise, SSD); 2026-11-21";
const STORAGE = "a stored copy of the page's table for us-central1; 2026-11-21";
const STORAGE_EXAMPLES = "https://cloud.google.com/storage/pricing-examples, stored copy; 2026-11-21";

const DATAFLOW_URL = "https://cloud.google.com/dataflow/pricing";
const STORAGE_URL = "https://cloud.google.com/storage/pricing";
const BIGTABLE_URL = "https://cloud.google.com/bigtable/pricing";
const COMPUTE_URL = "https://cloud.google.com/compute/vm-instance-pricing";

export const PRICES = {
  pubsubTib: {
    usd: 40,
    per: "TiB published or delivered",
    url: "https://cloud.google.com/pubsub/pricing",
    read: "stored copy of the page; 2026-11-21",
  },
  dataflowVcpuHour: { usd: 0.069, per: "streaming vCPU-hour", url: DATAFLOW_URL, read: BEAM_COSTS },
  dataflowGbHour: { usd: 0.0035557, per: "GB-hour of worker memory", url: DATAFLOW_URL, read: BEAM_COSTS },
  dataflowStreamedGb: { usd: 0.018, per: "GB processed by Streaming Engine", url: DATAFLOW_URL, read: BEAM_COSTS },
  bigtableNodeHour: { usd: 0.65, per: "node-hour", url: BIGTABLE_URL, read: BIGTABLE },
  bigtableGibMonth: { usd: 0.17, per: "GiB-month, SSD", url: BIGTABLE_URL, read: BIGTABLE },
  storageGbMonth: { usd: 0.02, per: "GB-month, Standard", url: STORAGE_URL, read: STORAGE },
  storageClassA: { usd: 0.005, per: "1,000 writes or lists", url: STORAGE_URL, read: STORAGE_EXAMPLES },
  storageClassB: { usd: 0.0004, per: "1,000 reads", url: STORAGE_URL, read: STORAGE_EXAMPLES },
  vmVcpuHour: { usd: 0.031611, per: "vCPU-hour", url: COMPUTE_URL, read: OPENCOST },
  vmGbHour: { usd: 0.004237, per: "GB-hour of memory", url: COMPUTE_URL, read: OPENCOST },
  /** Kafka has no list price: brokers are machines, disks and replicas of the operator's choice. */
  kafkaTib: undefined,
  /** Flink's own windows, kept on disks beside the TaskManagers. */
  flinkStateGbMonth: undefined,
} satisfies Record<string, Price | undefined>;

export type PriceName = keyof typeof PRICES;
export type Prices = Readonly<Record<PriceName, Price | undefined>>;
