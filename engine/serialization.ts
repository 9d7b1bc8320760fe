// SPDX-License-Identifier: Apache-2.0
import { sdk } from "./fixes/sdk";
import { moduleNameOf } from "./module-names";
import "./fixes/load";

/**
 * Last line of every module with DoFns: `register(module)`. Its exported classes and functions then travel by name, and
 * a worker requires the module (module-names.ts); of an instance only the plain fields travel (strings, numbers,
 * booleans, arrays, plain objects; `#private` fields are lost). An unregistered class fails when the graph is built;
 * see unregisteredFunctions for functions. Throws for a module that a worker could not find.
 */
export function register({ filename, exports }: NodeJS.Module): void {
  sdk.serialization.requireForSerialization(moduleNameOf(filename), exports as object);
}

/** The modules a worker has to require before it runs a pipeline built by this process. */
export function registeredModules(): string[] {
  return [...sdk.serialization.getRegisteredModules()];
}
