// SPDX-License-Identifier: Apache-2.0
import { BATCH_PREFIX } from "../../io/formats/avro/batch";
import { AvroReader } from "../../io/formats/avro/binary";
import { KafkaAppender } from "../../io/kafka/appender";
import { readFrames } from "../data/data-files";
import { defineTask } from "../task";

interface FillParameters {
  brokers: string;
  topic: string;
  /** Batches behind their lengths (data-files.ts); all begin with the receipt time. */
  frames: string;
}

const APPENDS_IN_FLIGHT = 64;

/**
 * Appends each batch when it is due, at its receipt time; what is due already, at once. The Flink measurements load
 * their topic with it.
 */
export const fillTopic = defineTask(__filename, "fill-topic", async ({ brokers, topic, frames }: FillParameters) => {
  const appender = await KafkaAppender.open({ brokers: [brokers], topic, appendTimeoutMs: 60_000 });
  const inFlight: Promise<void>[] = [];
  let behindMs = 0;
  for (const value of readFrames(frames)) {
    const dueMs = new AvroReader(value, BATCH_PREFIX.length).long();
    const aheadMs = dueMs - Date.now();
    behindMs = Math.max(behindMs, -aheadMs);
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    inFlight.push(appender.append({ key: null, value, timestamp: String(Date.now()) }));
    if (inFlight.length >= APPENDS_IN_FLIGHT) await inFlight.shift();
  }
  await Promise.all(inFlight);
  await appender.close();
  return { behindMs };
});
