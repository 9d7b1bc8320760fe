// SPDX-License-Identifier: Apache-2.0
/** The registry through which the processes of an application give stores and clients to its transforms. */

/**
 * Live objects (stores, clients, caches) for DoFns. DoFns travel as plain fields, so a DoFn carries a resource's name
 * and asks for the resource at run time. There is one registry a process; a worker process provides its own resources
 * before it takes bundles.
 */
const providers = new Map<string, { make: () => unknown } | { made: unknown }>();

/**
 * Registers `value` under `name`. A function is a factory, which is called once at the first use. Throws when the name
 * is taken.
 */
export function provideResource<T>(name: string, value: T | (() => T)): void {
  if (providers.has(name)) throw new Error(`resource "${name}" is provided already: withdraw it first`);
  providers.set(name, typeof value === "function" ? { make: value as () => unknown } : { made: value });
}

/**
 * Returns the resource of that name. The caller guarantees the type, because only the name crosses the worker boundary.
 */
export function resource<T>(name: string): T {
  const provider = providers.get(name);
  if (provider === undefined) {
    const known = [...providers.keys()].join(", ") || "none";
    throw new Error(`no resource "${name}" in process ${process.pid} (provided: ${known}): call provideResource first`);
  }
  if ("made" in provider) return provider.made as T;
  const made = provider.make();
  providers.set(name, { made });
  return made as T;
}

/** Removes the resource from the registry; its owner closes it. Unknown names are ignored. */
export function withdrawResource(name: string): void {
  providers.delete(name);
}
