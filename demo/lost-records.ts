// SPDX-License-Identifier: Apache-2.0
/**
 * Deletes records of the log that the archiver has not read, and returns what they declared: a loss made on purpose. A
 * part of `npm run demo:kill`.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Admin, Kafka } from "kafkajs";
import { kafkaConnection } from "../cli/deployment/kafka-connection";
import { decodeAccepted } from "../io/formats/messages/accepted-minutes";
import { kafkaOf } from "../io/kafka/connection";
import { type Books, readBooks } from "./books";
import type { ClusterStack } from "./cluster-stack";
import { countedOf, type Heal, type Load, lostEvents } from "./load";

const BOOKS_DEADLINE_MS = 600_000;
const POLL_MS = 100;

/**
 * Kills every archiver, and deletes the later messages once the job has counted them. The counters then have these
 * events, and the archive never will. The only consequence must be a report of exactly these events.
 */
export async function recordsDeleted(stack: ClusterStack, load: Load): Promise<Heal> {
  const { topic, kafka: settings } = stack.config.log;
  const kafka = kafkaOf(kafkaConnection(stack.config));
  const admin = kafka.admin();
  const unread = () => unreadRanges(admin, topic, settings.archiveGroup);
  await admin.connect();
  // The events that the stream leaves to the audit are archived before, because the audit counts nothing of a minute
  // with a loss.
  await load.pace.pausedFor(async () => {
    load.pace.setTimes({ aheadMs: stack.clock.aheadMs });
    const wanted = load.accepted() - lostEvents(load);
    await untilBooks(stack, load, async ({ archived }) => archived >= wanted && (await unread()).length === 0);
    for (const archiver of stack.processes.archivers) await archiver.kill();
  });
  return async () => {
    try {
      await delay(2_000);
      // With nothing under way, everything accepted is in the log, and will be counted.
      await load.pace.pausedFor(async () => {
        const ranges = await unread();
        if (ranges.length === 0) throw new Error("nothing came into the log that the archiver has not read");
        const wanted = load.accepted();
        await untilBooks(stack, load, async (books) => countedOf(books) >= wanted);
        const loss = await deleteRecords(kafka, admin, topic, ranges);
        for (const [minute, events] of loss.byMinute) load.lost.set(minute, (load.lost.get(minute) ?? 0) + events);
      });
    } finally {
      await admin.disconnect();
    }
    for (const archiver of stack.processes.archivers) await archiver.restart();
  };
}

async function untilBooks(stack: ClusterStack, load: Load, isSo: (books: Books) => Promise<boolean>): Promise<void> {
  const endsAt = performance.now() + BOOKS_DEADLINE_MS;
  for (;;) {
    const books = await readBooks(stack.processes.serveUrl, load.startedAtMs, stack.clock.now()).catch(() => undefined);
    if (books !== undefined && (await isSo(books))) return;
    if (performance.now() > endsAt) throw new Error(`of ${load.accepted()} events: ${JSON.stringify(books)}`);
    await delay(POLL_MS);
  }
}

interface Loss {
  records: number;
  /** Accepted events by minute of event time. */
  byMinute: Map<number, number>;
}

interface Range {
  partition: number;
  from: number;
  to: number;
}

const READ_DEADLINE_MS = 300_000;

/** Returns the offsets of every partition that the group has not read yet, up to the present end. */
async function unreadRanges(admin: Admin, topic: string, groupId: string): Promise<Range[]> {
  const ends = await admin.fetchTopicOffsets(topic);
  const [read] = await admin.fetchOffsets({ groupId, topics: [topic] });
  return ends
    .map(({ partition, high, low }) => {
      const committed = Number(read?.partitions.find((each) => each.partition === partition)?.offset ?? -1);
      return { partition, from: Math.max(committed, Number(low)), to: Number(high) };
    })
    .filter(({ from, to }) => from < to);
}

/**
 * Deletes ranges after reading them, so that the loss is known to the event. Rejects where a range could not be read
 * whole.
 */
async function deleteRecords(kafka: Kafka, admin: Admin, topic: string, ranges: readonly Range[]): Promise<Loss> {
  const loss = await readRanges(kafka, topic, ranges);
  await admin.deleteTopicRecords({
    topic,
    partitions: ranges.map(({ partition, to }) => ({ partition, offset: String(to) })),
  });
  return loss;
}

async function readRanges(kafka: Kafka, topic: string, ranges: readonly Range[]): Promise<Loss> {
  const loss: Loss = { records: 0, byMinute: new Map() };
  const expected = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
  const consumer = kafka.consumer({ groupId: `lost-records-${Date.now()}-${Math.floor(Math.random() * 1e9)}` });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const deadline = setTimeout(
        () => reject(new Error(`read ${loss.records} of ${expected} records that are to be deleted`)),
        READ_DEADLINE_MS,
      );
      const running = consumer.run({
        autoCommit: false,
        eachMessage: async ({ partition, message: { offset, headers } }) => {
          const range = ranges.find((each) => each.partition === partition);
          if (range === undefined || Number(offset) < range.from || Number(offset) >= range.to) return;
          add(loss, headers?.["viewmill-accepted"]?.toString());
          if (loss.records < expected) return;
          clearTimeout(deadline);
          resolve();
        },
      });
      running.catch(reject);
      for (const { partition, from } of ranges) consumer.seek({ topic, partition, offset: String(from) });
    });
  } finally {
    await consumer.disconnect();
  }
  return loss;
}

function add(loss: Loss, declared: string | undefined): void {
  const minutes = declared === undefined ? undefined : decodeAccepted(declared);
  if (minutes === undefined) throw new Error("a record of the log declares no accepted events");
  loss.records++;
  for (const [minute, events] of minutes) loss.byMinute.set(minute, (loss.byMinute.get(minute) ?? 0) + events);
}
