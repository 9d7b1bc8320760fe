import { z } from "zod";

const MEBI = 1 << 20;
const DAY_MINUTES = 24 * 60;

const bytes = (least: number, standard: number) => z.number().int().min(least).default(standard);
const count = (least: number, most: number, standard: number) =>
  z.number().int().min(least).max(most).default(standard);

/** Every setting there is, with its bounds and its default. An unknown key is an error. */
export const configSchema = z
  .strictObject({
    data: z.string().min(1).default("./data").describe("data folder"),
    logLevel: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
    http: z
      .strictObject({
        host: z.string().min(1).default("127.0.0.1"),
        port: count(0, 65_535, 8080),
        maxBodyBytes: bytes(1024, 8 * MEBI).describe("of a decoded body"),
        maxEvents: count(1, 1_000_000, 10_000).describe("of one request"),
        maxEventBytes: bytes(256, 64 << 10),
        maxInFlightBytes: bytes(MEBI, 128 * MEBI),
        maxInFlightRequests: count(1, 100_000, 1_000),
      })
      .prefault({}),
    log: z
      .strictObject({
        maxBacklogBytes: bytes(MEBI, 8192 * MEBI).describe("appended and not yet counted; beyond it 429"),
      })
      .prefault({}),
    deadLetters: z.strictObject({ maxBytes: bytes(MEBI, 4096 * MEBI) }).prefault({}),
    retention: z.strictObject({ rawDays: count(1, 36_500, 30).describe("older events are too-old") }).prefault({}),
    lateness: z
      .strictObject({
        finalAfterMinutes: count(1, 100 * DAY_MINUTES, 60).describe("a bucket is final this long after its end"),
      })
      .prefault({}),
    stream: z
      .strictObject({
        dedupePartitions: count(1, 1024, 1),
        videoShards: count(1, 1024, 1),
        maxPassEntries: count(1, 1_000_000, 2_000),
        maxPassBytes: bytes(MEBI, 64 * MEBI),
        minPassIntervalMs: count(10, 60_000, 300),
        maxCpuShare: z.number().gt(0).max(1).default(0.5).describe("of one core, while the stream keeps up"),
        maxRetainedIds: count(0, 100_000_000, 6_000_000).describe("event ids of open minutes kept in memory"),
        maxWrittenCells: count(0, 100_000_000, 400_000),
      })
      .prefault({}),
    audit: z
      .strictObject({
        enabled: z.boolean().default(true),
        everyMinutes: count(1, DAY_MINUTES, 60),
        repair: z.boolean().default(true),
      })
      .prefault({}),
  })
  .superRefine((config, context) => {
    const retentionMinutes = config.retention.rawDays * DAY_MINUTES;
    if (config.lateness.finalAfterMinutes * 2 > retentionMinutes) {
      context.addIssue({
        code: "custom",
        path: ["lateness", "finalAfterMinutes"],
        message: `must be well below the raw retention (at most half of ${retentionMinutes} minutes): what is late is recounted from the archive`,
      });
    }
  });

export type Config = z.infer<typeof configSchema>;
