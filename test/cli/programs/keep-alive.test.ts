// SPDX-License-Identifier: Apache-2.0
/** An idle connection stays open longer than a load balancer keeps it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import { configSchema } from "../../../cli/config/schema";
import { httpListener } from "../../../cli/programs/http-listener";
import { BARE_ENVIRONMENT } from "../../bare-environment";
import { removeFolders, temporaryFolder } from "../../io/ports/condition";

vi.setConfig({ testTimeout: 60_000 });
afterAll(removeFolders);

const REQUEST = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

async function answer(socket: Socket): Promise<string> {
  socket.write(REQUEST);
  const [data] = (await once(socket, "data")) as [Buffer];
  return data.toString();
}

const listening = async (server: Server): Promise<Socket> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return connect((server.address() as AddressInfo).port, "127.0.0.1");
};

it("the default is above every balancer's, for each listener", () => {
  const server = httpListener(configSchema.parse({}), () => {});
  expect(server.keepAliveTimeout).toBe(620_000);
  expect(server.headersTimeout).toBeLessThanOrEqual(server.requestTimeout);
});

it("a connection is closed after the configured time, and not before, whatever headersTimeout is", async () => {
  const server = httpListener(configSchema.parse({ http: { keepAliveSeconds: 2 } }), (_, response) =>
    response.end("ok"),
  );
  server.headersTimeout = 300;
  const socket = await listening(server);
  expect(await answer(socket)).toMatch(/200 OK[\s\S]*Keep-Alive: timeout=2/);
  const idleFrom = performance.now();
  await once(socket, "close");
  expect(performance.now() - idleFrom).toBeGreaterThan(1_900);
  server.close();
});

it("serve tells it, and takes it from its setting", { timeout: 240_000 }, async () => {
  const main = join(__dirname, "..", "..", "..", "cli", "main.js");
  for (const [env, seconds] of [
    [{}, 620],
    [{ VIEWMILL_HTTP_KEEP_ALIVE_SECONDS: "7" }, 7],
  ] as const) {
    const child = spawn(process.execPath, [main, "serve", "--port", "0", "--data", temporaryFolder()], {
      env: { ...BARE_ENVIRONMENT, ...env },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const socket = connect(Number(/:(\d+)\s*$/.exec(String(line))?.[1]), "127.0.0.1");
    expect(await answer(socket)).toContain(`Keep-Alive: timeout=${seconds}`);
    socket.destroy();
    child.kill("SIGTERM");
    await once(child, "close");
  }
});
