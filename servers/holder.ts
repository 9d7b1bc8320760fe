// SPDX-License-Identifier: Apache-2.0
/**
 * The process behind `npm run servers -- up`: starts servers and holds them until SIGTERM. Arguments: state folder,
 * names.
 */
import { RunningServers, startOf } from "./running";
import type { Server } from "./server-process";
import { inStartOrder, type Running, startServer } from "./stack";
import { SERVER_NAMES, type ServerName } from "./tools";

async function hold(folder: string, names: readonly ServerName[]): Promise<void> {
  const state = new RunningServers(folder);
  const { pid } = process;
  const building: Running = Object.assign({}, ...state.holdings().map((each) => each.servers));
  const servers: Running = {};
  const started: Server[] = [];
  const file = { pid, startedAt: startOf(pid)!, servers };
  const end = async (status: number): Promise<never> => {
    await Promise.allSettled(started.map((each) => each.stop()));
    state.forget(pid);
    process.exit(status);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void end(0));
  state.write({ ...file, ready: false });
  for (const name of inStartOrder(names)) {
    const { server, addresses } = await startServer(name, { ...building, ...servers });
    started.push(server);
    servers[name] = addresses;
    state.write({ ...file, ready: false });
  }
  state.write({ ...file, ready: true });
  // The servers are not referenced, so nothing else keeps the process running.
  setInterval(() => undefined, 2 ** 30);
}

const isName = (name: string): name is ServerName => (SERVER_NAMES as readonly string[]).includes(name);

const [folder, ...names] = process.argv.slice(2);
hold(folder!, names.filter(isName)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
