import { existsSync } from "node:fs";
import * as path from "node:path";
import { sdk } from "./fixes/sdk";
import "./fixes/load";

const compiledRoot = path.dirname(__dirname);

/**
 * Last line of every module with DoFns: `register("transforms/decode-batches", exports)`. Its exported classes and functions then travel as a
 * reference to `viewmill/dist/<modulePath>`, which the worker requires; of an instance only the plain fields travel (strings, numbers,
 * booleans, arrays, plain objects; `#private` fields are lost). An unregistered class fails when the graph is built; see unregisteredFunctions for
 * functions. Throws when the path is not that of the module, as the worker would find out much later.
 */
export function register(modulePath: string, exports: object): void {
  const file = path.join(compiledRoot, `${modulePath}.js`);
  if (!existsSync(file)) throw new Error(`register("${modulePath}"): there is no ${file}`);
  const loaded = require.cache[file];
  if (loaded !== undefined && loaded.exports !== exports) {
    throw new Error(`register("${modulePath}") was called by another module than ${file}`);
  }
  sdk.serialization.requireForSerialization(`viewmill/dist/${modulePath}`, exports);
}

/** The modules a worker has to require before it runs a pipeline built by this process. */
export function registeredModules(): string[] {
  return [...sdk.serialization.getRegisteredModules()];
}
