/** The process behind `npm run servers -- up`: starts the servers named as arguments and holds them until SIGTERM. */
import { forget, holdings, logFileFor, startOf, write } from "./running";
import type { Server } from "./server-process";
import { inStartOrder, type Running, startServer } from "./stack";
import { SERVER_NAMES, type ServerName } from "./tools";

async function hold(names: readonly ServerName[]): Promise<void> {
  const { pid } = process;
  const others = holdings();
  const building: Running = Object.assign({}, ...others.map((each) => each.servers));
  const servers: Running = {};
  const started: Server[] = [];
  const file = { pid, startedAt: startOf(pid)!, logFile: logFileFor(pid), servers };
  const end = async (status: number): Promise<never> => {
    await Promise.allSettled(started.map((each) => each.stop()));
    forget(pid);
    process.exit(status);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void end(0));
  write({ ...file, ready: false });
  for (const name of inStartOrder(names)) {
    const { server, addresses } = await startServer(name, { ...building, ...servers });
    started.push(server);
    servers[name] = addresses;
    write({ ...file, ready: false });
  }
  write({ ...file, ready: true });
  // Nothing else keeps the process: the servers are not referenced.
  setInterval(() => undefined, 2 ** 30);
}

hold(
  process.argv.slice(2).filter((name): name is ServerName => (SERVER_NAMES as readonly string[]).includes(name)),
).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
