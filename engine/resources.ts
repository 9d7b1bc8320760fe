// SPDX-License-Identifier: Apache-2.0
/**
 * Live objects (stores, clients, caches) for DoFns, which travel as plain fields: a DoFn carries a resource's name and
 * asks for it where it runs. One registry a process; a worker process provides its own before it takes bundles.
 */
const providers = new Map<string, { make: () => unknown } | { made: unknown }>();

/** Makes `value` known as `name`; a function is a factory, called once at first use. Throws when the name is taken. */
export function provideResource<T>(name: string, value: T | (() => T)): void {
  if (providers.has(name)) throw new Error(`resource "${name}" is provided already: withdraw it first`);
  providers.set(name, typeof value === "function" ? { make: value as () => unknown } : { made: value });
}

/** The resource of that name. The caller vouches for its type, as the name is all that crosses the worker boundary. */
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

/** Forgets the resource (closing it is its owner's business); unknown names are fine. */
export function withdrawResource(name: string): void {
  providers.delete(name);
}
