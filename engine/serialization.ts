// SPDX-License-Identifier: Apache-2.0
/**
 * How DoFns travel to workers: by the name of their class and their plain fields. Every module with DoFns registers
 * itself here.
 */
import { sdk } from "./fixes/sdk";
import { moduleNameOf } from "./module-names";
import "./fixes/load";

/**
 * Registers a module with DoFns, as its last line: `register(module)`. The exported classes and functions then travel
 * by name, and a worker requires the module (module-names.ts). Only the plain fields of an instance travel (strings,
 * numbers, booleans, arrays, plain objects; `#private` fields are lost). An unregistered class fails when the graph is
 * built; see unregisteredFunctions for functions. Throws for a module that a worker could not find.
 */
export function register({ filename, exports }: NodeJS.Module): void {
  sdk.serialization.requireForSerialization(moduleNameOf(filename), exports as object);
}

/** Returns the modules that a worker has to require before it runs a pipeline built by this process. */
export function registeredModules(): string[] {
  return [...sdk.serialization.getRegisteredModules()];
}
