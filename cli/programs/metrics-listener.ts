// SPDX-License-Identifier: Apache-2.0
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import type { Settings } from "../config/schema";
import { httpListener } from "./http-listener";

/** Serves GET /healthz and /metrics for a process without another listener. The archiver and the canary have one. */
export async function metricsListener(
  registry: Registry,
  config: Settings<"http">,
  portNumber: number,
): Promise<{ url: string; close(): void }> {
  const server = httpListener(config, async (request, response) => {
    if (request.url === "/healthz") response.end("ok\n");
    else if (request.url === "/metrics")
      response.setHeader("Content-Type", registry.contentType).end(await registry.metrics());
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(portNumber, config.http.host, resolve);
  });
  return {
    url: `http://${config.http.host}:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
