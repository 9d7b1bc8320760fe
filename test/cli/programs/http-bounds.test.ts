// SPDX-License-Identifier: Apache-2.0
/** The bounds of a listener for strangers: time, connections, headers. */
import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { configSchema } from "../../../cli/config/schema";
import { httpListener } from "../../../cli/programs/http-listener";
import { until } from "../../until";

vi.setConfig({ testTimeout: 60_000 });

let server: Server;
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
});

async function listening(http: object): Promise<number> {
  server = httpListener(configSchema.parse({ http }), (_, response) => response.end("ok"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

function open(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  sockets.push(socket);
  return socket;
}

it("a request that comes a byte at a time is cut off, in its headers and in its body", async () => {
  const port = await listening({ requestSeconds: 1 });
  for (const begun of ["GET / HTTP/1.1\r\nHost: x\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"]) {
    const socket = open(port);
    socket.resume();
    socket.write(begun);
    const drip = setInterval(() => socket.write("X"), 100);
    // A server that does not cut the connection keeps the drip going: the wait must end, and the drip with it.
    await until("the connection is cut", () => socket.closed, 10_000).finally(() => clearInterval(drip));
  }
});

it("headers beyond 16 KiB are 431, and the connection ends", async () => {
  const socket = open(await listening({}));
  socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`);
  const [data] = (await once(socket, "data")) as [Buffer];
  expect(problemIn(data)).toMatchObject({ status: 431, type: "urn:viewmill:problem:headers-too-large" });
  await once(socket, "close");
});

/** The problem that an answer holds, whose status line, type and length must fit. */
function problemIn(answer: Buffer): { status: number; type: string; detail: string } {
  const [head = "", body = ""] = answer.toString().split("\r\n\r\n");
  const problem = JSON.parse(body) as { status: number; type: string; detail: string };
  expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${problem.status} [A-Z]`));
  expect(head).toContain("\r\nContent-Type: application/problem+json\r\n");
  expect(head).toContain(`\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`);
  return problem;
}

it.each([
  ["an unknown method", "FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 400, /method/i],
  ["what is no HTTP", "hello\r\n\r\n", 400, /^the request is not HTTP\/1\.1: ./],
  ["two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, /length/i],
  ["no host", "GET / HTTP/1.1\r\n\r\n", 400, /Host/],
  [
    "an unknown expectation",
    "POST / HTTP/1.1\r\nHost: x\r\nExpect: a\r\nContent-Length: 1\r\n\r\n",
    417,
    /100-continue/,
  ],
])("%s is answered with a problem, and the connection ends", async (_what, sent, status, detail) => {
  const socket = open(await listening({}));
  socket.write(sent);
  const [data] = (await once(socket, "data")) as [Buffer];
  expect(problemIn(data)).toMatchObject({ status, detail: expect.stringMatching(detail) });
  await until("the connection ends", () => socket.closed || socket.readableEnded);
});

it("a request that does not arrive in time is answered 408 with a problem", async () => {
  const socket = open(await listening({ requestSeconds: 1 }));
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n");
  const [data] = (await once(socket, "data")) as [Buffer];
  expect(problemIn(data)).toMatchObject({ status: 408, type: "urn:viewmill:problem:request-timeout" });
});

it("what is no request behind one whose answer is under way adds nothing to the answer", async () => {
  server = httpListener(configSchema.parse({ http: {} }), (_, response) => void response.write("begun"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = open((server.address() as AddressInfo).port);
  let answer = "";
  socket.on("data", (part: Buffer) => {
    answer += part.toString();
  });
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await until("the answer has begun", () => answer.includes("begun"));
  socket.write("FOO / HTTP/1.1\r\n\r\n");
  await until("the connection ends", () => socket.closed);
  expect(answer).not.toContain("problem");
});

it("connections beyond the bound are closed, and those within go on", async () => {
  const port = await listening({ maxConnections: 2 });
  const within = [open(port), open(port)];
  for (const socket of within) await once(socket, "connect");
  const beyond = open(port);
  beyond.resume();
  await once(beyond, "close");
  within[0]!.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const [data] = (await once(within[0]!, "data")) as [Buffer];
  expect(data.toString()).toMatch(/^HTTP\/1\.1 200 /);
});
