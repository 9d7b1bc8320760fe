// SPDX-License-Identifier: Apache-2.0
import { connect, type Socket } from "node:net";
import { sfc32 } from "../../domain/seeded-random";
import { videoPicker } from "../data/event-source";
import { defineTask } from "../task";
import { summaryOf } from "./latencies";

interface LiveParameters {
  url: string;
  clients: number;
  videos: number;
  seed: number;
}

/** The number of videos that each client watches, beside the books. */
const WATCHED = 5;
const MESSAGE_END = "\n\n";

/** Listens to `GET /v1/live` over bare sockets, each client to videos of its own and to the books, until stopped. */
export const liveClients = defineTask(__filename, "live-clients", async (asked: LiveParameters, context) => {
  const video = videoPicker({ spread: "zipf", videos: asked.videos }, sfc32(asked.seed));
  const pausesMs: number[] = [];
  let messages = 0;
  const onMessage = (pauseMs: number | undefined) => {
    messages++;
    if (pauseMs !== undefined) pausesMs.push(pauseMs);
  };
  const listen = () => {
    const ids = new Set(Array.from({ length: WATCHED }, () => `video-${video()}`));
    return listener(asked.url, `/v1/live?videos=${[...ids].join(",")}&books=1`, onMessage);
  };
  const sockets = await Promise.all(Array.from({ length: asked.clients }, listen));
  context.ready(sockets.length);
  await context.stopped;
  for (const socket of sockets) socket.destroy();
  // The pauses are those between two messages of one client.
  return { messages, pauses: summaryOf(pausesMs) };
});

/** Resolves with the first message. A stream that ends before it is destroyed is an error. */
function listener(url: string, path: string, onMessage: (pauseMs: number | undefined) => void): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`));
    let rest = "";
    let lastMs: number | undefined;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      const parts = (rest + text).split(MESSAGE_END);
      rest = parts.pop()!;
      for (const part of parts) {
        if (!part.includes("data:")) continue;
        const nowMs = performance.now();
        onMessage(lastMs === undefined ? undefined : nowMs - lastMs);
        lastMs = nowMs;
        resolve(socket);
      }
    });
    socket.on("error", reject);
    socket.on("end", () => {
      throw new Error(`a live stream ended: ${rest.slice(0, 200)}`);
    });
  });
}
