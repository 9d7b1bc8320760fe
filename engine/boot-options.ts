// SPDX-License-Identifier: Apache-2.0
/**
 * The pipeline options that a worker reads when it boots. Some runners pass a job's options under their plain names;
 * Beam's job servers pass them under URNs. boot.ts reads them, and a job for Dataflow is given them (dataflow/job.ts).
 */
import { jobOptionUrn } from "./option-urn";

/** The modules with the functions of the graph. */
export const modulesOption = "registered_node_modules";

/** BootSettings, as JSON. */
export const bootOption = "worker_boot_settings";

/** Returns the value of an option under either name. Dataflow nests all options once more. */
export function bootOptionValue(options: Readonly<Record<string, unknown>>, name: string): unknown {
  const { options: nested } = options;
  const given = typeof nested === "object" && nested !== null ? (nested as Record<string, unknown>) : options;
  return given[name] ?? given[jobOptionUrn(name)];
}
