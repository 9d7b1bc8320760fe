// SPDX-License-Identifier: Apache-2.0
import type { Settings } from "../config/schema";
import type { DeploymentSections } from "./deployment";

/**
 * The sections that a worker of a cluster needs (cli/programs/worker-resources.ts). Flink's workers have them from the
 * command of their pool, Dataflow's from their job.
 */
export type WorkerSections = DeploymentSections & Settings<"job">;
