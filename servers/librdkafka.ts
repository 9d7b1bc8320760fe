// SPDX-License-Identifier: Apache-2.0
/**
 * Transactions of a foreign producer: librdkafka (confluent-kafka for Python); no server. The tests of Kafka as a log
 * send transactions with it.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { installed, type Recipe } from "./cache";
import { withPythonPackages } from "./python-packages";
import { VERSIONS } from "./versions";

const recipe: Recipe = {
  name: "confluent-kafka",
  version: VERSIONS.confluentKafka,
  inputs: "",
  build: async (folder) => {
    const wheel = `confluent-kafka==${VERSIONS.confluentKafka}`;
    await withPythonPackages(folder, [
      "--no-compile",
      "--only-binary=:all:",
      "--target",
      join(folder, "packages"),
      wheel,
    ]);
  },
};

interface Transaction {
  transactionalId: string;
  outcome: "commit" | "abort";
  compression: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  messages: readonly { partition: number; value: string }[];
}

/** Every transaction is begun and has its messages in the log before the first one ends. */
const SCRIPT = `
import json, sys
from confluent_kafka import Producer
job = json.load(sys.stdin)
begun = []
for each in job["transactions"]:
    producer = Producer({"bootstrap.servers": job["bootstrap"], "transactional.id": each["transactionalId"],
                         "compression.type": each["compression"]})
    producer.init_transactions(60)
    producer.begin_transaction()
    for message in each["messages"]:
        producer.produce(job["topic"], value=message["value"].encode(), partition=message["partition"])
    if producer.flush(60) != 0:
        raise SystemExit("messages were not delivered")
    begun.append((each["outcome"], producer))
for outcome, producer in begun:
    (producer.commit_transaction if outcome == "commit" else producer.abort_transaction)(60)
`;

/** Resolves when all have ended, in the order given. */
export async function librdkafkaTransactions(
  bootstrap: string,
  topic: string,
  transactions: readonly Transaction[],
): Promise<void> {
  const env = { ...process.env, PYTHONPATH: join(await installed(recipe), "packages") };
  await new Promise<void>((resolve, reject) => {
    const child = execFile("python3", ["-c", SCRIPT], { env, timeout: 240_000 }, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`librdkafka: ${stderr || error.message}`));
    });
    child.stdin?.end(JSON.stringify({ bootstrap, topic, transactions }));
  });
}
