// SPDX-License-Identifier: Apache-2.0
/** An HTTP proxy in front of the server that treats requests as a script says: one fault a request, then none. */
import { createServer, request, type Server } from "node:http";

export type Fault =
  /** Not given to the server. */
  | 408
  | 429
  | 500
  | 503
  | 401
  | 403
  /** Done by the server; the connection is reset in place of the answer. */
  | "answer lost"
  /** Done by the server; nothing comes back. */
  | "answer swallowed"
  /** Half of the answer, then the end of the connection. */
  | "answer cut"
  /** One bit of the answer's body is another. */
  | "answer flipped"
  /** Half of the request reaches the server, then the end of the connection. */
  | "request cut"
  /** The answer comes 50 ms later. */
  | "slow";

export class FaultyProxy {
  /** The outcomes of the next requests, in order. */
  readonly faults: Fault[] = [];
  /** Most objects of a page of a list; undefined: what the request says. */
  pageObjects: number | undefined;
  /** Methods and paths of all requests. */
  readonly requests: string[] = [];

  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
  ) {}

  static async start(target: string): Promise<FaultyProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const proxy = new FaultyProxy(server, `http://127.0.0.1:${port}`);
    proxy.serve(target);
    return proxy;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(target: string): void {
    this.server.on("request", async (asked, answer) => {
      const fault = this.faults.shift();
      this.requests.push(`${asked.method} ${asked.url}`);
      const chunks: Buffer[] = [];
      for await (const chunk of asked) chunks.push(chunk as Buffer);
      if (typeof fault === "number") {
        answer.writeHead(fault, { "content-type": "application/json" });
        answer.end(JSON.stringify({ error: { code: fault, message: `made up ${fault}` } }));
        return;
      }
      const body = Buffer.concat(chunks);
      const url =
        this.pageObjects === undefined
          ? asked.url
          : asked.url?.replace(/maxResults=\d+/, `maxResults=${this.pageObjects}`);
      const sent = request(new URL(url ?? "", target), { method: asked.method, headers: asked.headers });
      sent.on("error", () => answer.destroy());
      if (fault === "request cut") {
        sent.write(body.subarray(0, body.length >> 1), () => sent.destroy());
        return;
      }
      sent.on("response", async (from) => {
        const parts: Buffer[] = [];
        for await (const part of from) parts.push(part as Buffer);
        const whole = Buffer.concat(parts);
        if (fault === "answer lost") answer.destroy();
        if (fault === "answer lost" || fault === "answer swallowed") return;
        if (fault === "answer flipped") whole[whole.length >> 1]! ^= 4;
        const { "transfer-encoding": _, ...headers } = from.headers;
        const finish = () => {
          answer.writeHead(from.statusCode ?? 500, { ...headers, "content-length": String(whole.length) });
          if (fault === "answer cut") answer.write(whole.subarray(0, whole.length >> 1), () => answer.destroy());
          else answer.end(whole);
        };
        if (fault === "slow") setTimeout(finish, 50);
        else finish();
      });
      sent.end(body);
    });
  }
}
