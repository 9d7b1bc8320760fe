// SPDX-License-Identifier: Apache-2.0
/**
 * The key of the EXTERNAL environment's parameters under which the graph names its modules (a JSON array). StartWorker
 * passes the parameters to the pool. pipeline-proto.ts writes it, and worker-pool.ts reads it.
 */
export const modulesParameter = "modules";
