// SPDX-License-Identifier: Apache-2.0
/** The proxy that misbehaves on demand, in front of a server that answers each line with the line. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { type FaultProxy, startFaultProxy } from "../../servers";
import { until } from "./processes";

let proxy: FaultProxy;
let echo: Server;
/** All that reached the server. */
let received: string;
const clients: Client[] = [];

class Client {
  text = "";
  closed = false;
  /** The error of the connection: `ECONNRESET`; "" where it ended in order. */
  broken = "";
  readonly socket: Socket;

  constructor() {
    const [host, port] = proxy.address.split(":");
    this.socket = connect({ host: host!, port: Number(port) });
    this.socket.on("data", (bytes) => {
      this.text += bytes.toString();
    });
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      this.broken = error.code ?? error.message;
    });
    this.socket.on("close", () => {
      this.closed = true;
    });
    clients.push(this);
  }

  async ask(line: string): Promise<void> {
    this.socket.write(line);
    await until(`an answer to ${line}`, () => this.text.endsWith(line));
  }
}

beforeEach(async () => {
  received = "";
  echo = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("data", (bytes) => {
      received += bytes.toString();
      socket.write(bytes);
    });
    socket.on("end", () => socket.end("bye"));
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  proxy = await startFaultProxy(`127.0.0.1:${(echo.address() as { port: number }).port}`);
});
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await proxy.stop();
  echo.close();
});

test("passes what comes, both ways, and the end of it", async () => {
  const client = new Client();
  await client.ask("one");
  expect(proxy.connections).toBe(1);
  client.socket.end();
  await until("the server's last word", () => client.text === "onebye");
  await until("nothing is open", () => client.closed && proxy.connections === 0);
});

test("passes 50 MB unchanged", async () => {
  const client = new Client();
  const bytes = Buffer.alloc(50_000_000, "0123456789abcdef-");
  const chunks: Buffer[] = [];
  client.socket.removeAllListeners("data").on("data", (chunk: Buffer) => chunks.push(chunk));
  client.socket.write(bytes);
  await until("all of it", () => chunks.reduce((sum, { length }) => sum + length, 0) === bytes.length);
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
});

test("cut resets what is open and what comes, until pass", async () => {
  const client = new Client();
  await client.ask("one");
  proxy.cut();
  await until("the connection is cut", () => client.closed);
  const refused = new Client();
  await until("a new one is cut too", () => refused.closed);
  expect([client.broken, refused.broken]).toEqual(["ECONNRESET", "ECONNRESET"]);
  expect(proxy.refusedConnections).toBe(1);
  expect(received).toBe("one");
  proxy.pass();
  await new Client().ask("two");
});

test("swallowed answers: the server gets the request, the client no answer, and later ones again", async () => {
  const client = new Client();
  proxy.swallowAnswers(true);
  client.socket.write("lost");
  await until("the server has it", () => received === "lost");
  proxy.swallowAnswers(false);
  await client.ask("kept");
  expect(client.text).toBe("kept");
  expect(client.closed).toBe(false);
});

test("a delay holds everything back both ways, in order, and pass lets it go", async () => {
  const client = new Client();
  await client.ask("0");
  proxy.delay(100);
  const before = performance.now();
  await client.ask("1");
  expect(performance.now() - before).toBeGreaterThanOrEqual(195);
  proxy.delay(60_000);
  for (const digit of "2345") client.socket.write(digit);
  await until("they wait in the proxy", () => proxy.heldBytes === 4);
  proxy.pass();
  client.socket.write("6");
  await until("all have come", () => client.text === "0123456");
});

test("a target that is not there is a reset, not a wait", async () => {
  echo.close();
  const client = new Client();
  await until("the client knows", () => client.closed);
  expect(client.broken).toBe("ECONNRESET");
  expect(proxy.connections).toBe(0);
});
