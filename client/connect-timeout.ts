// SPDX-License-Identifier: Apache-2.0
/**
 * The used part of undici's Agent. Node's fetch is undici, but its classes cannot be imported. Every request of the
 * delivery has it.
 */
type AgentClass = new (options: { connect: { timeout: number }; connections: number }) => object;

/**
 * Returns options for Node's fetch with a connect timeout of its own, {} where the platform has none (browsers bound
 * the request as a whole). fetch has no standard way to bound the connect alone: undici takes the timeout from the
 * dispatcher, whose class is reachable through the global one. A global dispatcher that the application has set (a
 * proxy, a mock) is left alone.
 */
export function connectTimeout(connectTimeoutMs: number, connections: number): { dispatcher?: object } {
  const slot = Symbol.for("undici.globalDispatcher.1");
  const host = globalThis as { [slot]?: object; process?: { versions?: { node?: string } } };
  if (host.process?.versions?.node === undefined) return {};
  // Node loads undici at the first use of fetch; a data: URL needs no network.
  if (host[slot] === undefined) void fetch("data:,").catch(() => {});
  const dispatcher = host[slot];
  if (dispatcher?.constructor.name !== "Agent") return {};
  const Agent = dispatcher.constructor as AgentClass;
  return { dispatcher: new Agent({ connect: { timeout: connectTimeoutMs }, connections }) };
}
