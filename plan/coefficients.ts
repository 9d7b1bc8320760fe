// SPDX-License-Identifier: Apache-2.0
/** The numbers behind a plan. `viewmill plan` computes with them, and prints the source of each. */

/** A measured or published number on which formulas rest, with its source. */
interface Coefficient {
  value: number;
  unit: string;
  /** A file of this repository, or an address, and the figure there. */
  source: string;
  kind: "measured" | "published" | "setting" | "assumed";
}

const measured = (value: number, unit: string, source: string): Coefficient => ({
  value,
  unit,
  source,
  kind: "measured",
});
const setting = (value: number, unit: string, source: string): Coefficient => ({
  value,
  unit,
  source,
  kind: "setting",
});

const ANSWERS = "docs/bench/2026-11-29-answers.md";
const SCALE = "docs/decisions/0008-scale.md";

export const COEFFICIENTS = {
  batchBytes: measured(27.9, "bytes/event", `${SCALE}: Avro batches of 500, bytes in the topic`),
  arrayBytes: measured(118, "bytes/event", `${SCALE}: JSON arrays of 500, bytes in the topic`),
  singleBytes: measured(117, "bytes/event", `${SCALE}: single JSON events, bytes in the topic`),
  batchDecode: measured(0.65e-6, "CPU-s/event", `${SCALE}: Avro batches of 500, decode, check, blocks`),
  arrayDecode: measured(2.03e-6, "CPU-s/event", `${SCALE}: JSON arrays of 500, decode, check, blocks`),
  singleDecode: measured(8.67e-6, "CPU-s/event", `${SCALE}: single JSON events, decode, check, blocks`),
  dedupe: measured(0.3e-6, "CPU-s/event", "docs/decisions/0003-performance.md: hot path, 300 ns an event in the panes"),
  packCounts: measured(
    0.11e-6,
    "CPU-s/event",
    "docs/decisions/0003-performance.md: hot path, 770 ns in all less the rest",
  ),
  element: measured(6.6e-6, "CPU-s/element", "docs/decisions/0005-flink-runner.md: awaitable ParDo, an element"),
  bundle: measured(0.6e-3, "CPU-s/bundle", "docs/decisions/0005-flink-runner.md: a bundle of worker CPU"),
  counterWrite: measured(
    1 / 12_500,
    "CPU-s/video-minute",
    "docs/decisions/0006-bigtable-rows.md: 12,500 video-minutes per CPU-second, all levels",
  ),
  wholeJob: measured(
    1 / 12_227,
    "CPU-s/event",
    `${SCALE}: Flink, 2,000,000 events in two minutes with the start of all its processes, on a busy machine`,
  ),
  ingest: measured(0.73e-6, "CPU-s/event", "docs/decisions/0003-performance.md: 2.9 CPU-seconds for 4,000,000 events"),
  audit: measured(1 / 82_000, "CPU-s/event", "docs/decisions/0003-performance.md: audit, 82k per CPU-second"),
  auditSkim: measured(
    0.76e-6,
    "CPU-s/event",
    "docs/decisions/0021-an-audit-goes-over-promises.md: a row read and left to another part of the minute",
  ),
  auditUnitEvents: setting(6_000_000, "events/part", "pipelines/audit/plan-audit.ts: EVENTS_A_UNIT"),
  auditBytes: measured(
    150,
    "bytes/event",
    "docs/decisions/0021-an-audit-goes-over-promises.md: memory of a part of 3,000,000 events, 0.47 GB resident",
  ),
  ledgerMessage: setting(50, "bytes/message", 'io/bigtable/ledger-cells.ts: ["<uuid>",events,accepted]'),
  paneBytes: measured(
    180,
    "bytes/event",
    "docs/decisions/0003-performance.md: a minute of 3,000,000 events in 0.54 GB",
  ),
  archiveBytes: measured(22.6, "bytes/event", `${SCALE}: archive objects, bytes an event`),
  archiveCpu: measured(1.57e-6, "CPU-s/event", `${SCALE}: archive objects, rows and zstandard`),
  blockRow: setting(24, "bytes/event", "domain/columns/event-block.ts: 16 id, 4 video, 2 type, 2 ms; no value"),
  countCell: setting(42, "bytes/cell", "domain/columns/count-block.ts: CELL_BYTES"),
  minuteCell: setting(
    32 + 8 + 7 + 15,
    "bytes/cell",
    "docs/decisions/0006-bigtable-rows.md: 32 value, 8 timestamp, 7 column, 15 key without the videoId; before Bigtable compresses",
  ),
  rolledCell: measured(5.7, "bytes/cell", `${ANSWERS}: a roll-up of 219,520 minute cells of 96,913 videos`),
  catalogVideo: measured(212, "bytes/video", `${ANSWERS}: catalog.sqlite of 1,000,000 videos with titles and channels`),
  bundleMessages: setting(200, "messages/bundle", "cli/config/schema.ts: flink.maxBundleElements"),
  bundleSeconds: setting(1, "s/bundle", "cli/config/schema.ts: flink.maxBundleMs"),
  paneEvents: setting(
    1e6,
    "events/pane",
    "a third of the 3,000,000 that were measured in one (docs/decisions/0003-performance.md)",
  ),
  maxPartitions: setting(1024, "partitions", "cli/config/schema.ts: job.dedupePartitions, job.videoShards"),
  lateFiringSeconds: setting(90, "s", "cli/config/schema.ts: job.lateFiringMs"),
  graceSeconds: setting(10, "s", "cli/config/schema.ts: job.graceMs"),
  clocksApartMinutes: setting(10, "minutes", "cli/deployment/flink/stream-job.ts: windows are kept for clocks apart"),
  portionBytes: setting(32 * 2 ** 20, "bytes/portion", "cli/config/schema.ts: archive.maxPortionBytes"),
  portionMessages: setting(4_000, "messages/portion", "cli/config/schema.ts: archive.maxPortionMessages"),
  portionSeconds: setting(5, "s/portion", "cli/config/schema.ts: archive.maxPortionAgeMs"),
  messageAttributes: setting(
    150,
    "bytes/message",
    "docs/shared-logs.md: three attributes, message id and publish time",
  ),
  writesPerNode: setting(
    10_000,
    "rows/s/node",
    "docs/decisions/0006-bigtable-rows.md: at some 10,000 row writes a second a node",
  ),
  readsPerNode: {
    value: 17_000,
    unit: "rows/s/node",
    source: "https://docs.cloud.google.com/bigtable/docs/performance: SSD, up to 17,000 rows read a second (1 KB rows)",
    kind: "published",
  },
  partitionBytes: {
    value: 5e6,
    unit: "bytes/s/partition",
    source: "not measured: an assumption, --assume partitionBytes=... sets another",
    kind: "assumed",
  },
} satisfies Record<string, Coefficient>;

export type CoefficientName = keyof typeof COEFFICIENTS;
export type Coefficients = Readonly<Record<CoefficientName, Coefficient>>;
