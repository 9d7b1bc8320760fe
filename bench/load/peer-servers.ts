// SPDX-License-Identifier: Apache-2.0
/**
 * The alternatives that a developer would write, and the cost of HTTP alone. The measurements of reads and of HTTP
 * compare with them.
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@redis/client";
import express from "express";
import { debianProgram } from "../../servers";
import { defineTask, type TaskContext } from "../task";

async function serve(listener: RequestListener, context: TaskContext): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.ready(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await context.stopped;
  server.closeAllConnections();
}

const TOTAL = JSON.stringify({ videoId: "video-1", totals: { VIEW: { count: 1, sum: 0, lastEventAt: "" } }, asOf: "" });

/** Reads the body, parses nothing, keeps nothing. */
export const bareHttp = defineTask(__filename, "bare-http", (_parameters: object, context) =>
  serve((request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, { "Content-Type": "application/json", "Content-Length": TOTAL.length }).end(TOTAL);
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => response.writeHead(202, { "Content-Length": 0 }).end());
  }, context),
);

/** An event counts once by its id, which is remembered for an hour. */
const COUNT_ONCE = `
if redis.call('SET', KEYS[1], '', 'NX', 'EX', 3600) then
  redis.call('HINCRBY', KEYS[2], ARGV[1], 1)
  return 1
end
return 0`;

/**
 * Express with Redis as the counter: an event once by its id, on the disk before it is answered (AOF, appendfsync
 * always).
 */
export const expressAndRedis = defineTask(
  __filename,
  "express-redis",
  async ({ folder }: { folder: string }, context) => {
    mkdirSync(folder, { recursive: true });
    const socket = `${folder}/redis.sock`;
    const flags = ["--port", "0", "--unixsocket", socket, "--dir", folder, "--save", "", "--appendonly", "yes"];
    const redis = spawn(await debianProgram("redis-server"), [...flags, "--appendfsync", "always"], {
      stdio: "ignore",
    });
    process.once("exit", () => redis.kill("SIGKILL"));
    const client = createClient({ socket: { path: socket, tls: false, reconnectStrategy: 50 } });
    client.on("error", () => undefined);
    await client.connect();
    const script = await client.scriptLoad(COUNT_ONCE);
    const app = express();
    app.disable("x-powered-by");
    app.post("/v1/events", express.json(), async (request, response) => {
      const { eventId, videoId, eventType } = request.body as Record<string, string>;
      await client.evalSha(script, { keys: [`e:${eventId}`, `v:${videoId}`], arguments: [eventType!] });
      response.status(202).json({ accepted: 1, rejected: [] });
    });
    app.get("/v1/videos/:videoId", async (request, response) => {
      response.json({ videoId: request.params.videoId, totals: await client.hGetAll(`v:${request.params.videoId}`) });
    });
    await serve(app, context);
    client.destroy();
    redis.kill();
    await delay(0);
  },
);
