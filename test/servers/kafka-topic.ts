import type { Admin, ITopicConfig } from "kafkajs";
import { until } from "./processes";

const DEADLINE_MS = 60_000;

/** A new topic whose partitions have leaders; kafkajs' own waiting gives up when the broker it asks has not heard of the topic yet. */
export async function createTopic(admin: Admin, options: ITopicConfig): Promise<void> {
  await admin.createTopics({ topics: [options], waitForLeaders: false });
  const led = async () => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [options.topic] });
    return topics[0]!.partitions.every(({ leader }) => leader >= 0);
  };
  await until("the topic's leaders", () => led().catch(() => false), DEADLINE_MS);
}
