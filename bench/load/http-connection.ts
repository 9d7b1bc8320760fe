// SPDX-License-Identifier: Apache-2.0
import { connect, type Socket } from "node:net";

interface HttpAnswer {
  status: number;
  body: string;
}

/**
 * One kept-alive HTTP/1.1 connection, one request at a time, over a bare socket: the load comes from the same two cores
 * as the service, and node:http's client would take more of them than the requests are worth. Understands only answers
 * with a Content-Length. Every load and probe of the service sends with it.
 */
export class HttpConnection {
  private received = "";
  private waiting: { resolve(answer: HttpAnswer): void; reject(error: Error): void } | undefined;

  private constructor(private readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.received += text;
      this.deliver();
    });
    socket.on("error", (error) => this.fail(error));
    socket.on("close", () => this.fail(new Error("the connection was closed")));
  }

  static open(url: string): Promise<HttpConnection> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      socket.once("error", reject);
      socket.once("connect", () => resolve(new HttpConnection(socket)));
    });
  }

  /** `head`: request line and headers with their last empty line. */
  send(head: string, body?: Uint8Array): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.cork();
      this.socket.write(head, "latin1");
      if (body !== undefined) this.socket.write(body);
      this.socket.uncork();
    });
  }

  get(path: string): Promise<HttpAnswer> {
    return this.send(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  }

  post(path: string, headers: Readonly<Record<string, string>>, body: Uint8Array): Promise<HttpAnswer> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return this.send(
      `POST ${path} HTTP/1.1\r\nHost: bench\r\nContent-Length: ${body.length}\r\n${lines.join("")}\r\n`,
      body,
    );
  }

  private deliver(): void {
    const end = this.received.indexOf("\r\n\r\n");
    if (end < 0 || this.waiting === undefined) return;
    const length = /\r\ncontent-length: (\d+)/i.exec(this.received.slice(0, end))?.[1];
    if (length === undefined) {
      this.fail(new Error(`an answer without a length: ${this.received.slice(0, 200)}`));
      return;
    }
    const bodyEnd = end + 4 + Number(length);
    if (this.received.length < bodyEnd) return;
    const answer = { status: Number(this.received.slice(9, 12)), body: this.received.slice(end + 4, bodyEnd) };
    this.received = this.received.slice(bodyEnd);
    const { resolve } = this.waiting;
    this.waiting = undefined;
    resolve(answer);
  }

  private fail(error: Error): void {
    this.waiting?.reject(error);
    this.waiting = undefined;
  }

  close(): void {
    this.socket.destroy();
  }
}
