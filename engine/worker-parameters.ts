// SPDX-License-Identifier: Apache-2.0
/**
 * Key of the EXTERNAL environment's parameters under which the graph names its modules (a JSON array); the pool gets
 * them with StartWorker.
 */
export const modulesParameter = "modules";
