// SPDX-License-Identifier: Apache-2.0
/** `node pool.js`: a worker pool in a process of its own, to be killed; prints its address. */

import { workerLog } from "../../../engine/worker-log";
import { WorkerPool } from "../../../engine/worker-pool";

WorkerPool.start({ host: "127.0.0.1", port: 0, httpPort: 0, maxWorkers: 4, log: workerLog({}) }).then((pool) => {
  process.stdout.write(`${JSON.stringify({ address: pool.address, httpUrl: pool.httpUrl })}\n`);
});
