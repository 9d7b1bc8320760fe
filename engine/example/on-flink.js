// SPDX-License-Identifier: Apache-2.0
// The graph of count-words.js on Flink: `node on-flink.js HOST:PORT` submits it to the Beam job server that listens
// there.
const { buildPipelineProto, FlinkRunner, replaceEnvironments } = require("@viewmill/engine");
const { workerLog } = require("@viewmill/engine/worker-log");
const { WorkerPool } = require("@viewmill/engine/worker-pool");
const { graph } = require("./count-words.js");

async function main(jobServer) {
  const log = workerLog({});
  const pool = await WorkerPool.start({ host: "127.0.0.1", port: 0, httpPort: 0, maxWorkers: 4, log });
  const runner = new FlinkRunner({ jobServer });
  try {
    const proto = replaceEnvironments(await buildPipelineProto(graph), { pool: pool.address });
    const job = await runner.submit(proto, { jobName: "count-words", streaming: false, parallelism: 1 });
    await job.waitUntilFinished(300_000);
  } finally {
    runner.close();
    await pool.close();
  }
}

main(process.argv[2]);
