// SPDX-License-Identifier: Apache-2.0
/**
 * Pipeline options that a worker reads when it boots: plain where the runner hands a job's options on as they are, as a
 * URN from Beam's job servers.
 */
import { jobOptionUrn } from "./option-urn";

/** The modules that hold the functions of the graph. */
export const modulesOption = "registered_node_modules";

/** BootSettings, as JSON. */
export const bootOption = "worker_boot_settings";

/** The value of an option, however the runner spells it; Dataflow nests all of them once more. */
export function bootOptionValue(options: Readonly<Record<string, unknown>>, name: string): unknown {
  const { options: nested } = options;
  const given = typeof nested === "object" && nested !== null ? (nested as Record<string, unknown>) : options;
  return given[name] ?? given[jobOptionUrn(name)];
}
