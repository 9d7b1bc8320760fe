/** A TCP proxy that does to connections what networks do: for tests of what depends on a server. */
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";

export interface FaultProxy {
  /** `host:port` to use in place of the target's. */
  readonly address: string;
  /** Connections that are open now. */
  readonly connections: number;
  /** Resets what is open and whatever comes, until `pass`. */
  cut(): void;
  /** Everything goes through again at once: ends `cut`, `delay` and `swallowAnswers`. Answers swallowed so far stay lost. */
  pass(): void;
  /** Every piece of data, in both directions, goes on so much later, in order. */
  delay(ms: number): void;
  /** Requests reach the server and what it answers does not come back; an open connection stays open. */
  swallowAnswers(on: boolean): void;
  stop(): Promise<void>;
}

/** `target`: `host:port`. Listens on a free port of 127.0.0.1. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const proxy = new TcpFaultProxy(target);
  await proxy.listen();
  return proxy;
}

/** Data that may wait for its time in one direction of a connection before the sender is asked to pause. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

class TcpFaultProxy implements FaultProxy {
  readonly #server: NetServer;
  readonly #host: string;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  #mode: "pass" | "cut" = "pass";
  #delayMs = 0;
  #swallow = false;

  constructor(target: string) {
    const at = target.lastIndexOf(":");
    this.#host = target.slice(0, at);
    this.#port = Number(target.slice(at + 1));
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#join(client));
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
  }

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy is stopped");
    return `127.0.0.1:${address.port}`;
  }

  get connections(): number {
    return this.#sockets.size / 2;
  }

  cut(): void {
    this.#mode = "cut";
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  pass(): void {
    this.#mode = "pass";
    this.#delayMs = 0;
    this.#swallow = false;
  }

  delay(ms: number): void {
    this.#delayMs = ms;
  }

  swallowAnswers(on: boolean): void {
    this.#swallow = on;
  }

  stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #join(client: Socket): void {
    if (this.#mode === "cut") {
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: this.#host, port: this.#port, allowHalfOpen: true, noDelay: true });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      // An error is followed by `close`, which takes the other side along, as a reset.
      let failed = false;
      socket.on("error", () => {
        failed = true;
      });
      socket.on("close", () => {
        this.#sockets.delete(socket);
        if (failed) other.resetAndDestroy();
        else if (!other.writableEnded) other.end();
      });
    }
    this.#carry(client, server, () => false);
    this.#carry(server, client, () => this.#swallow);
  }

  /** Carries bytes and the end of them, in order, each piece at its time. */
  #carry(from: Socket, to: Socket, dropped: () => boolean): void {
    const waiting: { atMs: number; bytes: Buffer | "end" }[] = [];
    let waitingBytes = 0;
    let timer: NodeJS.Timeout | undefined;
    const flush = (): void => {
      timer = undefined;
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        const restMs = this.#delayMs === 0 ? 0 : next.atMs - performance.now();
        if (restMs > 0) {
          timer = setTimeout(flush, Math.ceil(restMs));
          return;
        }
        waiting.shift();
        if (next.bytes === "end") to.end();
        else {
          waitingBytes -= next.bytes.length;
          if (!to.destroyed && !to.writableEnded && !to.write(next.bytes)) {
            from.pause();
            to.once("drain", () => from.resume());
          }
        }
      }
      if (waitingBytes === 0 && !to.writableNeedDrain) from.resume();
    };
    const push = (bytes: Buffer | "end"): void => {
      if (bytes !== "end" && dropped()) return;
      waiting.push({ atMs: performance.now() + this.#delayMs, bytes });
      if (bytes !== "end") waitingBytes += bytes.length;
      if (waitingBytes > MAX_WAITING_BYTES) from.pause();
      if (timer === undefined) flush();
    };
    from.on("data", push);
    from.on("end", () => push("end"));
    from.on("close", () => clearTimeout(timer));
  }
}
