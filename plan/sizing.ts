// SPDX-License-Identifier: Apache-2.0
/**
 * What a workload needs of every part of a deployment, by formulas over measured coefficients. `viewmill plan` prints
 * it.
 */
import { HOURS_A_DAY, MINUTES_A_DAY, MINUTES_AN_HOUR, SECONDS_A_DAY, SECONDS_A_MINUTE } from "../domain/rules/time";
import type { CoefficientName, Coefficients } from "./coefficients";
import type { Workload } from "./workload";
import { distinctCounter, hottestShare } from "./zipf";

/** One figure of a plan, with its derivation. */
interface Line {
  group: string;
  name: string;
  value: number;
  unit: string;
  formula: string;
  uses: readonly CoefficientName[];
}

export interface Sizing {
  lines: Line[];
  /** The assumptions behind the figures beyond their formulas, and the limits that they reach. */
  warnings: string[];
  /** The same numbers, for what is computed from them. */
  parts: ReturnType<typeof partsOf>;
}

/** docs/decisions/0006-bigtable-rows.md: what a writer knows of its rows is at most ten minutes old. */
const KNOWN_MINUTES = 10;
/** Hourly and daily. */
export const AUDITS = 2;

type Part<T> = (workload: Workload, c: Coefficients) => T;

function traffic(workload: Workload, c: Coefficients) {
  const { eventsPerSecond, batchEvents, form } = workload;
  const bytesPerEvent = { batch: c.batchBytes, array: c.arrayBytes, single: c.singleBytes }[form].value;
  const messages = eventsPerSecond / batchEvents;
  const bytes = eventsPerSecond * bytesPerEvent + messages * c.messageAttributes.value;
  return { messages, bytes, messageBytes: bytes / messages, partitions: Math.ceil(bytes / c.partitionBytes.value) };
}

const decodeOf: Part<number> = ({ form }, c) =>
  ({ batch: c.batchDecode, array: c.arrayDecode, single: c.singleDecode })[form].value;

/** Returns P and Q, large enough that a pane stays small, and that every core has several. */
function spread(workload: Workload, c: Coefficients) {
  const minuteEvents = workload.eventsPerSecond * SECONDS_A_MINUTE;
  const eventCores = (workload.eventsPerSecond * (decodeOf(workload, c) + c.dedupe.value)) / workload.utilization;
  const wanted = Math.max(4 * Math.ceil(eventCores), Math.ceil(minuteEvents / c.paneEvents.value));
  const partitions = Math.min(c.maxPartitions.value, wanted);
  return { partitions, wanted, shards: Math.min(c.maxPartitions.value, Math.max(8, Math.ceil(partitions / 2))) };
}

/** Returns how often a minute's panes fire: once at its end, then for late events. */
function firings({ eventsPerSecond, lateShare, lateMinutes }: Workload, c: Coefficients, partitions: number): number {
  const slots = (lateMinutes * SECONDS_A_MINUTE) / c.lateFiringSeconds.value;
  const latePerSlot = (eventsPerSecond * SECONDS_A_MINUTE * lateShare) / slots / partitions;
  return 1 - slots * Math.expm1(-latePerSlot);
}

function cells(workload: Workload, partitions: number) {
  const { eventsPerSecond, duplicateShare, typeShares } = workload;
  const minuteEvents = eventsPerSecond * SECONDS_A_MINUTE * (1 - duplicateShare);
  const distinct = distinctCounter(workload);
  const cellsOf = (events: number) => typeShares.reduce((sum, share) => sum + distinct(events * share), 0);
  return {
    videoMinutes: distinct(minuteEvents),
    cellMinutes: cellsOf(minuteEvents),
    cellHours: cellsOf(minuteEvents * MINUTES_AN_HOUR),
    paneVideos: distinct(minuteEvents / partitions),
    paneCells: cellsOf(minuteEvents / partitions),
    /** Videos without an event for as long as a writer remembers its rows. */
    unknownVideos: distinct(minuteEvents * (KNOWN_MINUTES + 1)) - distinct(minuteEvents * KNOWN_MINUTES),
    distinct,
  };
}

/** First shuffle: blocks of a bundle. Second: count blocks of a pane. Bytes a second. */
function shuffle(
  workload: Workload,
  c: Coefficients,
  of: { partitions: number; shards: number; firings: number; minute: ReturnType<typeof cells> },
) {
  const { eventsPerSecond, batchEvents, videoIdBytes } = workload;
  const { minute } = of;
  const eventCores = Math.max(1, (eventsPerSecond * decodeOf(workload, c)) / workload.utilization);
  const bundleEvents = Math.max(
    1,
    Math.min(c.bundleMessages.value * batchEvents, (eventsPerSecond / eventCores) * c.bundleSeconds.value),
  );
  const blockEvents = Math.max(1, bundleEvents / of.partitions);
  const nameBytes = videoIdBytes + 1;
  const blockBytes = c.blockRow.value + (minute.distinct(blockEvents) / blockEvents) * nameBytes;
  const paneBytes = minute.paneCells * c.countCell.value + minute.paneVideos * nameBytes;
  const countsPerMinute = of.partitions * paneBytes * of.firings;
  return {
    bundleEvents,
    blockEvents,
    bundles: eventsPerSecond / bundleEvents,
    blocks: eventsPerSecond / blockEvents,
    blockBytes: eventsPerSecond * blockBytes,
    countBlocks: (of.partitions * of.shards * of.firings) / SECONDS_A_MINUTE,
    countBytes: countsPerMinute / SECONDS_A_MINUTE,
    stateBytes:
      eventsPerSecond *
      blockBytes *
      SECONDS_A_MINUTE *
      (workload.latenessMinutes + 1 + c.clocksApartMinutes.value + c.graceSeconds.value / SECONDS_A_MINUTE),
  };
}

function partsOf(workload: Workload, c: Coefficients) {
  const { eventsPerSecond: rate, utilization } = workload;
  const log = traffic(workload, c);
  const { partitions, shards, wanted } = spread(workload, c);
  const fired = firings(workload, c, partitions);
  const minute = cells(workload, partitions);
  const bytes = shuffle(workload, c, { partitions, shards, firings: fired, minute });
  const lateCells = Math.min(minute.cellMinutes * (fired - 1), rate * SECONDS_A_MINUTE * workload.lateShare);
  const lateVideos = Math.min(minute.videoMinutes * (fired - 1), rate * SECONDS_A_MINUTE * workload.lateShare);
  const videoWrites = (minute.videoMinutes + lateVideos) / SECONDS_A_MINUTE;
  const elements = log.messages + bytes.blocks + bytes.countBlocks;
  const cpu = {
    decode: rate * decodeOf(workload, c),
    dedupe: rate * c.dedupe.value * fired,
    counts: rate * c.packCounts.value * fired,
    runner: elements * c.element.value + bytes.bundles * c.bundle.value,
    counters: videoWrites * c.counterWrite.value,
  };
  const workerCpu = Object.values(cpu).reduce((sum, each) => sum + each, 0);
  const rows = { writes: 2 * videoWrites, reads: 2 * videoWrites + (2 * minute.unknownVideos) / SECONDS_A_MINUTE };
  const nodes = Math.max(1, (rows.writes / c.writesPerNode.value + rows.reads / c.readsPerNode.value) / utilization);
  const archiveCpu = rate * (decodeOf(workload, c) + c.archiveCpu.value);
  const archivers = Math.ceil(archiveCpu / utilization);
  const portions = Math.max(
    log.bytes / c.portionBytes.value,
    log.messages / c.portionMessages.value,
    Math.min(log.messages, archivers / c.portionSeconds.value),
  );
  const portionSeconds = archivers / portions;
  const minutesTouched = 1 + portionSeconds / SECONDS_A_MINUTE + (workload.lateShare > 0 ? workload.lateMinutes : 0);
  const archive = { bytes: rate * c.archiveBytes.value, objects: portions * minutesTouched };
  const auditParts = Math.max(1, Math.ceil((rate * SECONDS_A_MINUTE) / c.auditUnitEvents.value));
  const workerCores = Math.ceil(workerCpu / utilization);
  const coresAtMost = Math.max(workerCores, Math.ceil((rate * c.wholeJob.value) / utilization));
  return {
    log,
    partitions,
    wanted,
    shards,
    firings: fired,
    minute,
    lateCells,
    bytes,
    cpu,
    workerCpu,
    workerCores,
    coresAtMost,
    videoWrites,
    rows,
    nodes: Math.ceil(nodes),
    archivers,
    archive,
    ingestCores: workload.direct ? 0 : Math.ceil((rate * c.ingest.value) / utilization),
    auditParts,
    auditMemory: Math.min(rate * SECONDS_A_MINUTE, c.auditUnitEvents.value) * c.auditBytes.value,
    ledgerBytes:
      workload.log === "kafka" ? 0 : log.messages * SECONDS_A_MINUTE * minutesTouched * c.ledgerMessage.value,
    auditCores: Math.ceil((AUDITS * rate * (c.audit.value + (auditParts - 1) * c.auditSkim.value)) / utilization),
    // Each core makes one pane at a time; 1 GiB is Node and what is in flight.
    workerMemory: workerCores * (2 ** 30 + ((rate * SECONDS_A_MINUTE) / partitions) * c.paneBytes.value),
    minuteCellBytes:
      (minute.cellMinutes / SECONDS_A_MINUTE) *
      SECONDS_A_DAY *
      workload.minuteDays *
      (c.minuteCell.value + workload.videoIdBytes),
    hourCellBytes: minute.cellHours * HOURS_A_DAY * workload.hourDays * (c.minuteCell.value + workload.videoIdBytes),
    rollUpBytes: (minute.cellMinutes * MINUTES_A_DAY + minute.cellHours * HOURS_A_DAY) * c.rolledCell.value,
    catalogBytes: workload.videos * c.catalogVideo.value,
    hottest: hottestShare(workload),
  };
}

/** Returns the needs of a workload. The function is pure. */
export function sizingOf(workload: Workload, c: Coefficients): Sizing {
  const parts = partsOf(workload, c);
  return {
    lines: [...logLines(workload, parts), ...graphLines(workload, parts), ...storeLines(workload, parts)],
    warnings: warningsOf(workload, parts),
    parts,
  };
}

type Parts = ReturnType<typeof partsOf>;

const lineIn =
  (group: string) =>
  (name: string, value: number, unit: string, formula: string, ...uses: CoefficientName[]): Line => ({
    group,
    name,
    value,
    unit,
    formula,
    uses,
  });

const BYTES_OF = { batch: "batchBytes", array: "arrayBytes", single: "singleBytes" } as const;
const DECODE_OF = { batch: "batchDecode", array: "arrayDecode", single: "singleDecode" } as const;

function logLines(workload: Workload, { log, ingestCores }: Parts): Line[] {
  const line = lineIn("log");
  const bytes = BYTES_OF[workload.form];
  const lines = [
    line("messages", log.messages, "messages/s", "events / batchEvents"),
    line("bytes", log.bytes, "bytes/s", `events * ${bytes} + messages * messageAttributes`, bytes, "messageAttributes"),
    line("bytes a message", log.messageBytes, "bytes", "bytes / messages"),
  ];
  if (workload.log === "kafka")
    lines.push(
      line("partitions", log.partitions, "partitions", "bytes / partitionBytes, rounded up", "partitionBytes"),
    );
  if (!workload.direct)
    lines.push(line("ingest cores", ingestCores, "cores", "events * ingest / utilization, rounded up", "ingest"));
  return lines;
}

function graphLines(workload: Workload, parts: Parts): Line[] {
  return [...graphShape(parts), ...graphTraffic(parts), ...graphCpu(workload, parts)];
}

/** Returns how the graph divides its work. */
function graphShape(parts: Parts): Line[] {
  const { minute } = parts;
  const line = lineIn("stream");
  return [
    line(
      "dedup partitions P",
      parts.partitions,
      "partitions",
      "largest of events a minute / paneEvents and 4 * cores for events",
      "paneEvents",
      "maxPartitions",
    ),
    line("video shards Q", parts.shards, "shards", "P / 2, at least 8", "maxPartitions"),
    line(
      "firings of a minute",
      parts.firings,
      "panes",
      "1 + slots * (1 - e^(-late events of a slot and partition)); slots = lateMinutes * 60 / lateFiringSeconds",
      "lateFiringSeconds",
    ),
    line("hottest video", parts.hottest * 100, "% of events", "(1 - hotShare) / sum of rank^-zipf + hotShare"),
    line("videos a minute", minute.videoMinutes, "videos", "sum over videos of 1 - e^(-events a minute * share)"),
    line("cells a minute", minute.cellMinutes, "cells", "the same, for each event type"),
  ];
}

/** Returns the bytes of the shuffles, and of windows. */
function graphTraffic({ bytes }: Parts): Line[] {
  const line = lineIn("stream");
  return [
    line(
      "blocks",
      bytes.blocks,
      "elements/s",
      "events / events of a block; bundle / P",
      "bundleMessages",
      "bundleSeconds",
    ),
    line(
      "shuffle 1: blocks",
      bytes.blockBytes,
      "bytes/s",
      "events * (blockRow + distinct videos of a block / its events * name)",
      "blockRow",
    ),
    line(
      "shuffle 2: counts",
      bytes.countBytes,
      "bytes/s",
      "P * firings * (cells of a pane * countCell + its videos * name) / 60",
      "countCell",
    ),
    line(
      "window state",
      bytes.stateBytes,
      "bytes",
      "shuffle 1 * (latenessMinutes + 1 + clocksApartMinutes + grace)",
      "clocksApartMinutes",
      "graceSeconds",
    ),
  ];
}

function graphCpu(workload: Workload, parts: Parts): Line[] {
  const { cpu } = parts;
  const line = lineIn("stream");
  const decode = DECODE_OF[workload.form];
  return [
    line("CPU: decode, check, blocks", cpu.decode, "CPU-s/s", `events * ${decode}`, decode),
    line("CPU: panes", cpu.dedupe, "CPU-s/s", "events * dedupe * firings", "dedupe"),
    line("CPU: counts", cpu.counts, "CPU-s/s", "events * packCounts * firings", "packCounts"),
    line(
      "CPU: elements and bundles",
      cpu.runner,
      "CPU-s/s",
      "(messages + blocks + count blocks) * element + bundles * bundle",
      "element",
      "bundle",
    ),
    line("CPU: writing counters", cpu.counters, "CPU-s/s", "videos written a second * counterWrite", "counterWrite"),
    line("worker cores", parts.workerCores, "cores", "sum of CPU / utilization, rounded up"),
    line(
      "cores of the whole job, at most",
      parts.coresAtMost,
      "cores",
      "events * wholeJob / utilization, rounded up: what a short cold run on Flink took, all processes",
      "wholeJob",
    ),
    line("worker memory", parts.workerMemory, "bytes", "cores * (1 GiB + events of a pane * paneBytes)", "paneBytes"),
  ];
}

function storeLines(workload: Workload, parts: Parts): Line[] {
  return [...counterLines(workload, parts), ...archiveLines(workload, parts), ...auditLines(parts)];
}

function counterLines(workload: Workload, parts: Parts): Line[] {
  const { rows } = parts;
  const counters = lineIn("Bigtable");
  return [
    counters(
      "rows written",
      rows.writes,
      "rows/s",
      "2 * videos written a second: the minutes' row and the summary row",
    ),
    counters(
      "rows read",
      rows.reads,
      "rows/s",
      "2 * videos written a second, the marks of both rows; + 2 for a video without events in ten minutes, read whole",
    ),
    counters(
      "the hottest video's row",
      parts.firings,
      "writes/minute",
      "one for each firing, whatever the video's rate",
    ),
    counters("a minute's ledger row", parts.firings * parts.shards, "writes/minute", "firings * Q"),
    ...(workload.log === "kafka"
      ? []
      : [
          counters(
            "message ids of a minute",
            parts.ledgerBytes,
            "bytes",
            "messages * 60 * minutes of a portion * ledgerMessage: Pub/Sub repeats are known by them",
            "ledgerMessage",
          ),
        ]),
    counters(
      "nodes",
      parts.nodes,
      "nodes",
      "(rows written / writesPerNode + rows read / readsPerNode) / utilization, rounded up",
      "writesPerNode",
      "readsPerNode",
    ),
    counters(
      "minute cells",
      parts.minuteCellBytes,
      "bytes",
      "cells a minute * 1,440 * minuteDays * (minuteCell + videoId); not compressed, without rows kept for ever",
      "minuteCell",
    ),
    counters(
      "hour cells",
      parts.hourCellBytes,
      "bytes",
      "cells an hour * 24 * hourDays * (minuteCell + videoId); not compressed, without days and totals",
      "minuteCell",
    ),
  ];
}

function archiveLines({ rawDays }: Workload, parts: Parts): Line[] {
  const { archive } = parts;
  const storage = lineIn("Cloud Storage");
  return [
    storage(
      "archivers",
      parts.archivers,
      "cores",
      "events * (decode + archiveCpu) / utilization, rounded up",
      "archiveCpu",
    ),
    storage(
      "objects",
      archive.objects * SECONDS_A_DAY,
      "objects/day",
      "portions * minutes of event time a portion touches",
      "portionBytes",
      "portionMessages",
      "portionSeconds",
    ),
    storage("bytes", archive.bytes * SECONDS_A_DAY, "bytes/day", "events * archiveBytes", "archiveBytes"),
    storage("kept", archive.bytes * SECONDS_A_DAY * rawDays, "bytes", "bytes a day * rawDays", "archiveBytes"),
    storage(
      "roll-ups",
      parts.rollUpBytes,
      "bytes/day",
      "(cells a minute * 1,440 + cells an hour * 24) * rolledCell; kept for ever",
      "rolledCell",
    ),
    storage(
      "catalog",
      parts.catalogBytes,
      "bytes",
      "videos * catalogVideo, on the disk of each instance",
      "catalogVideo",
    ),
  ];
}

function auditLines(parts: Parts): Line[] {
  const audit = lineIn("audit");
  return [
    audit(
      "cores",
      parts.auditCores,
      "cores",
      "2 * events * (audit + (parts - 1) * auditSkim) / utilization, rounded up; each event in the hourly and the daily audit, all day",
      "audit",
      "auditSkim",
    ),
    audit(
      "parts of a minute",
      parts.auditParts,
      "parts",
      "events * 60 / auditUnitEvents, rounded up: each reads the minute and counts its own ids",
      "auditUnitEvents",
    ),
    audit(
      "memory of one part",
      parts.auditMemory,
      "bytes",
      "events of a part * auditBytes, in one worker",
      "auditBytes",
    ),
  ];
}

const TIB = 2 ** 40;
const SMALL_OBJECT_BYTES = 1 << 20;
const LARGE_ROW_BYTES = 50e6;

function warningsOf(workload: Workload, parts: Parts): string[] {
  const found: string[] = [];
  if (parts.wanted > parts.partitions)
    found.push(
      `P is bounded by ${parts.partitions} and would be ${parts.wanted}: panes are larger than what was measured`,
    );
  if (parts.firings > 2)
    found.push(
      `late events fire each minute ${parts.firings.toFixed(1)} times, and each pane counts all of it again: a longer job.lateFiringMs, or a longer job.graceMs, saves most of it`,
    );
  if (parts.bytes.stateBytes > TIB)
    found.push(
      "more than 1 TiB of windows: a shorter lateness.finalAfterMinutes saves it; what comes later is left to the archive",
    );
  if (workload.form === "single")
    found.push("one event a message: what Flink's JVM takes for each is in none of these figures but the whole job's");
  if (parts.ledgerBytes > LARGE_ROW_BYTES)
    found.push(
      "the ledger keeps a minute's message ids in one row, which Bigtable bounds at 256 MiB: more events in a message make fewer ids",
    );
  const objectBytes = parts.archive.bytes / parts.archive.objects;
  if (objectBytes < SMALL_OBJECT_BYTES)
    found.push(
      `archive objects of ${Math.round(objectBytes / 1024)} KiB: a longer archive.maxPortionAgeMs makes fewer`,
    );
  return found;
}
