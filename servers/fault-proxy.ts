// SPDX-License-Identifier: Apache-2.0
/**
 * A TCP proxy that does to connections what networks do: for tests of what depends on a server. Tests of adapters put
 * it between an adapter and its server.
 */
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";

export interface FaultProxy {
  /** `host:port` to use in place of the target's. */
  readonly address: string;
  /** Connections that are open now. */
  readonly connections: number;
  /** The bytes that wait in the proxy. */
  readonly heldBytes: number;
  /** Connections that were asked for during `cut`, in all. */
  readonly refusedConnections: number;
  /** Answers that did not come back, in all. */
  readonly swallowedBytes: number;
  /** The number of bytes that were passed on with a delay. */
  readonly delayedBytes: number;
  /** Resets what is open and whatever comes, until `pass`. */
  cut(): void;
  /** Passes everything at once again: ends `cut`, `delay` and `swallowAnswers`. Answers swallowed so far stay lost. */
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
const MAX_HELD_BYTES = 4 * 1024 * 1024;

class TcpFaultProxy implements FaultProxy {
  readonly #server: NetServer;
  readonly #host: string;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  readonly #ways = new Set<Way>();
  #mode: "pass" | "cut" = "pass";
  #delayMs = 0;
  #swallow = false;
  refusedConnections = 0;
  swallowedBytes = 0;
  delayedBytes = 0;

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

  get heldBytes(): number {
    return [...this.#ways].reduce((sum, way) => sum + way.heldBytes, 0);
  }

  cut(): void {
    this.#mode = "cut";
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  pass(): void {
    this.#mode = "pass";
    this.#swallow = false;
    this.delay(0);
  }

  delay(ms: number): void {
    this.#delayMs = ms;
    for (const way of this.#ways) way.flush();
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
      this.refusedConnections++;
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
    this.#carry(server, client, (bytes) => {
      if (this.#swallow) this.swallowedBytes += bytes.length;
      return this.#swallow;
    });
  }

  #carry(from: Socket, to: Socket, dropped: (bytes: Buffer) => boolean): void {
    const delayed = (bytes: Buffer) => {
      this.delayedBytes += bytes.length;
    };
    const way = new Way(from, to, () => this.#delayMs, dropped, delayed);
    this.#ways.add(way);
    from.once("close", () => {
      way.close();
      this.#ways.delete(way);
    });
  }
}

/** One direction of a connection: carries bytes and the end of them, in order, each piece at its time. */
class Way {
  heldBytes = 0;
  readonly #held: { sinceMs: number; bytes: Buffer | "end" }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly delayMs: () => number,
    dropped: (bytes: Buffer) => boolean,
    private readonly delayed: (bytes: Buffer) => void,
  ) {
    from.on("data", (bytes) => {
      if (!dropped(bytes)) this.#push(bytes);
    });
    from.on("end", () => this.#push("end"));
    to.on("drain", () => this.flush());
  }

  #push(bytes: Buffer | "end"): void {
    this.#held.push({ sinceMs: performance.now(), bytes });
    if (bytes !== "end") this.heldBytes += bytes.length;
    this.flush();
  }

  /** Passes on the bytes whose time has come; asks the sender to pause while too many wait. */
  flush(): void {
    clearTimeout(this.#timer);
    for (let next = this.#held[0]; next !== undefined && !this.to.writableNeedDrain; next = this.#held[0]) {
      const restMs = next.sinceMs + this.delayMs() - performance.now();
      if (restMs > 0) {
        this.#timer = setTimeout(() => this.flush(), Math.ceil(restMs));
        break;
      }
      this.#held.shift();
      if (next.bytes !== "end") {
        this.heldBytes -= next.bytes.length;
        if (this.delayMs() > 0) this.delayed(next.bytes);
      }
      if (this.to.destroyed || this.to.writableEnded) continue;
      if (next.bytes === "end") this.to.end();
      else this.to.write(next.bytes);
    }
    if (this.heldBytes > MAX_HELD_BYTES) this.from.pause();
    else this.from.resume();
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
