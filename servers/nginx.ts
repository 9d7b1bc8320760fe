// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianProgram } from "./debian";
import { freePort } from "./free-port";
import { ServerProcess } from "./server-process";

/**
 * A real nginx before several instances, as docs/kubernetes.md configures it: a request that one does not answer goes
 * to another, because an event counts once however often it arrives. Tests and benches of several instances start one.
 */
export class Nginx {
  private constructor(
    readonly url: string,
    private readonly process: ServerProcess,
  ) {}

  static async start(folder: string, ports: readonly number[]): Promise<Nginx> {
    const port = await freePort();
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "nginx.conf");
    writeFileSync(file, configuration(folder, port, ports));
    const url = `http://127.0.0.1:${port}`;
    const process = new ServerProcess({
      name: "nginx",
      folder,
      command: await debianProgram("nginx"),
      args: ["-p", folder, "-c", file, "-e", join(folder, "error.log")],
      answers: async () => (await fetch(`${url}/healthz`)).ok,
    });
    await process.start();
    return new Nginx(url, process);
  }

  async stop(): Promise<void> {
    await this.process.end();
  }
}

const configuration = (folder: string, port: number, ports: readonly number[]) => `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  client_max_body_size 8m;
  upstream viewmill {
${ports.map((each) => `    server 127.0.0.1:${each} max_fails=0;`).join("\n")}
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://viewmill;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 2s;
      proxy_next_upstream error timeout http_502 http_503 non_idempotent;
    }
  }
}
`;
