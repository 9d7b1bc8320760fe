// SPDX-License-Identifier: Apache-2.0
/** Records that leave a real topic before the archiver has read them: the books of who answered 202 say so. */
import { randomUUID } from "node:crypto";
import { Kafka, logLevel } from "kafkajs";
import { minuteOf } from "../../../domain/event";
import { AccountedLog } from "../../../io/cluster/accounted-log";
import { LedgerProgress } from "../../../io/cluster/ledger-progress";
import { LowWatermark } from "../../../io/cluster/low-watermark";
import { KafkaEventLog } from "../../../io/kafka/event-log";
import { KafkaLogSubscription } from "../../../io/kafka/log-subscription";
import { ensureKafkaTopic } from "../../../io/kafka/topics";
import type { LogMessage } from "../../../io/ports";
import { runArchiver } from "../../../pipelines/archiver/archiver";
import { runAudit } from "../../../pipelines/audit/audit";
import { type KafkaServer, startKafka } from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { openStores, type Stores } from "../../system/golden/embedded-runner";
import { event, message } from "../../transforms/elements";
import { removeFolders, temporaryFolder } from "../ports/condition";

const HOUR_MS = 3_600_000;
const WAIT = { timeout: 60_000, interval: 100 };
const OPTIONS = {
  maxPortionMessages: 10,
  maxPortionBytes: 1 << 20,
  maxPortionAgeMs: 50,
  portionsInFlight: 1,
  progressIntervalMs: 100,
};

describeWithServers("records deleted from a topic", ["kafka"], () => {
  let kafka: KafkaServer;
  let stores: Stores;
  let topic = "";
  beforeAll(async () => {
    kafka = await startKafka();
  }, COLD_START_MS);
  afterAll(() => kafka?.stop());
  beforeEach(async () => {
    topic = `log-${randomUUID()}`;
    await ensureKafkaTopic({ brokers: [kafka.bootstrap] }, { topic, partitions: 1 });
    stores = await openStores(temporaryFolder());
  });
  afterEach(async () => {
    await stores.close();
    removeFolders();
  });

  const timeMs = Date.now() - 3 * HOUR_MS;
  const minute = minuteOf(timeMs);
  const appended = (log: AccountedLog, ...ids: string[]) =>
    log.append({
      payload: message(
        ids.map((id) => event(id, { eventTimeMs: timeMs })),
        Date.now(),
      ).payload,
      events: ids.length,
      acceptedByMinute: new Map([[minute, ids.length]]),
    });

  /** Deletes what the topic has so far. */
  async function deleteRecords(): Promise<void> {
    const admin = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const [{ high } = { high: "0" }] = await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: high }] });
    await admin.disconnect();
  }

  /** Reads the topic to its end, as the archiver's process does. */
  async function archived(watermark: LowWatermark, events: number): Promise<void> {
    const subscription = await KafkaLogSubscription.open({ brokers: [kafka.bootstrap], topic, groupId: `g-${topic}` });
    const stop = new AbortController();
    const running = runArchiver(
      {
        subscription,
        archive: stores.archive,
        ledger: stores.ledger,
        payloadOf: async ({ payload }: LogMessage) => payload,
        clock: Date.now,
        reader: { name: "group", leaseMs: 60_000 },
        watermark,
      },
      OPTIONS,
      stop.signal,
      () => undefined,
    );
    await vi.waitFor(async () => expect(await books()).toMatchObject({ archived: events }), WAIT);
    const fromMs = Date.now();
    await vi.waitFor(async () => {
      const [reader] = await stores.ledger.archiveReaders();
      expect(reader?.throughMs).toBeGreaterThan(fromMs);
    }, WAIT);
    stop.abort();
    await running;
    await subscription.close();
  }

  const books = async () => (await stores.ledger.books(minute, minute + 1))[0];

  it("are promised and not archived: the minute is named, completeThrough stands, the audit compares nothing there", async () => {
    const log = new AccountedLog(await KafkaEventLog.open({ brokers: [kafka.bootstrap], topic }), {
      ledger: stores.ledger,
      clock: Date.now,
      intervalMs: 50,
    });
    const beforeMs = Date.now();
    await appended(log, "a", "b", "c");
    const lostByMs = Date.now();
    await deleteRecords();
    await appended(log, "d", "e");
    await vi.waitFor(async () => expect(await books()).toMatchObject({ promised: 5, accepted: 5 }), WAIT);
    const watermark = new LowWatermark(stores.ledger, Date.now);
    await archived(watermark, 2);
    const counted = { minute, part: 0, received: 2, counted: 2, duplicate: 0, late: 0, reusedIds: 0 };
    await stores.ledger.writeRows([counted]);
    for (let n = 0; n < 3; n++) await watermark.advance();
    expect(await books()).toMatchObject({ accepted: 5, promised: 5, declared: 2, archived: 2, counted: 2 });
    const progress = new LedgerProgress(stores.ledger, { clock: Date.now });
    const throughMs = await progress.completeThroughMs(Date.now());
    expect(throughMs).toBeGreaterThanOrEqual(beforeMs);
    expect(throughMs).toBeLessThanOrEqual(lostByMs);
    const range = { fromMs: minute * 60_000, toMs: (minute + 1) * 60_000 };
    const report = await runAudit(
      { ...stores, progress, clock: Date.now },
      { ...range, repair: true, allowedLatenessMs: -1 },
    );
    expect(report.outcome).toBe("not-comparable");
    expect(report.notComparable).toMatchObject([{ minute, reason: expect.stringContaining("5 events accepted") }]);
    await log.close();
    expect(await stores.ledger.ingestAccounts()).toEqual([]);
  }, 180_000);
});
