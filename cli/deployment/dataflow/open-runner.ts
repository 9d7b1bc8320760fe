// SPDX-License-Identifier: Apache-2.0
import { DataflowRunner } from "../../../engine/dataflow";
import type { Settings } from "../../config/schema";

/**
 * Requests carry credentials, whatever server receives them. The commands that submit to Dataflow open its client here.
 */
export const openRunner = ({ project, dataflow }: Settings<"dataflow" | "project">): DataflowRunner =>
  new DataflowRunner({
    project,
    region: dataflow.region,
    ...(dataflow.endpoint === "" ? {} : { endpoint: dataflow.endpoint, pollMs: 100, retryPauseMs: 20 }),
  });
