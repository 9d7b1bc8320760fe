// SPDX-License-Identifier: Apache-2.0
import { DataflowRunner } from "../../../engine/dataflow";
import type { Config } from "../../config/schema";

/** Requests carry credentials, whatever server receives them. */
export const openRunner = ({ project, dataflow }: Config): DataflowRunner =>
  new DataflowRunner({
    project,
    region: dataflow.region,
    ...(dataflow.endpoint === "" ? {} : { endpoint: dataflow.endpoint, pollMs: 100, retryPauseMs: 20 }),
  });
