// SPDX-License-Identifier: Apache-2.0
/** Bodies as Node gives them, piece by piece: what is counted, what is refused, and what is left to Node. */
import { createServer, IncomingMessage } from "node:http";
import { type AddressInfo, connect, Socket } from "node:net";
import { DirectRequest } from "../../ingest-api/direct-request";
import { InFlight } from "../../ingest-api/in-flight";
import { discardBody, readBody } from "../../ingest-api/read-body";

const MAX_DISCARD_BYTES = 64 << 20;
const EVENTS = ["data", "end", "close", "error"];

function requestOf(announced?: number, Request: typeof IncomingMessage = IncomingMessage): IncomingMessage {
  const request = new Request(new Socket());
  if (announced !== undefined) request.headers["content-length"] = String(announced);
  return request;
}

const listeners = (request: IncomingMessage) => EVENTS.map((event) => request.listenerCount(event));
const room = (maxInFlightBytes: number) => new InFlight({ maxInFlightBytes, maxInFlightRequests: 1 });

async function read(request: IncomingMessage, maxBytes: number, inFlight: InFlight, pieces: readonly string[]) {
  const answer = readBody(request, maxBytes, inFlight.enter()!);
  for (const piece of pieces) request.push(Buffer.from(piece));
  request.push(null);
  return answer;
}

describe.each([
  ["that comes as a stream", IncomingMessage],
  ["that comes past the stream", DirectRequest],
])("a body %s", (_way, Request) => {
  it("is read whole, in one piece or in several, and counted once", async () => {
    for (const announced of [undefined, 6]) {
      for (const pieces of [["events"], ["ev", "en", "ts"], []]) {
        const [request, inFlight] = [requestOf(announced, Request), room(6)];
        expect(await read(request, 6, inFlight, pieces)).toEqual({ kind: "body", bytes: Buffer.from(pieces.join("")) });
        expect(inFlight.bytes).toBe(announced ?? pieces.join("").length);
        expect(request.listenerCount("data")).toBe(0);
      }
    }
    const only = Buffer.from("events");
    const request = requestOf(undefined, Request);
    const answer = readBody(request, 6, room(6).enter()!);
    request.push(only);
    request.push(null);
    // A body of one piece is not copied.
    expect((await answer) as { bytes: Buffer }).toHaveProperty("bytes.buffer", only.buffer);
  });

  it("that is not sent at all is empty, also where Node has ended the request at once", async () => {
    const answered: unknown[] = [];
    const server = createServer(
      { optimizeEmptyRequests: true, IncomingMessage: Request },
      async (request, response) => {
        answered.push([request.readableEnded, await readBody(request, 6, room(6).enter()!)]);
        discardBody(request);
        response.end();
      },
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    for (const fields of ["", "Content-Length: 0\r\n", "Content-Length: 6\r\n", ""]) {
      const next = new Promise((resolve) => socket.once("data", resolve));
      socket.write(`POST / HTTP/1.1\r\nHost: h\r\n${fields}\r\n${fields.includes("6") ? "events" : ""}`);
      await next;
    }
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    const [empty, events] = ["", "events"].map((text) => ({ kind: "body", bytes: Buffer.from(text) }));
    expect(answered).toEqual([
      [true, empty],
      [false, empty],
      [false, events],
      [true, empty],
    ]);
  });

  it("that is announced beyond a bound is refused before it is read", async () => {
    const [request, inFlight] = [requestOf(7, Request), room(100)];
    const before = listeners(request);
    expect(await readBody(request, 6, inFlight.enter()!)).toEqual({ kind: "too-large" });
    expect([inFlight.bytes, listeners(request)]).toEqual([0, before]);
    const full = room(5);
    expect(await readBody(request, 7, full.enter()!)).toEqual({ kind: "overloaded" });
    expect([full.bytes, listeners(request)]).toEqual([0, before]);
  });

  it("that grows beyond a bound is refused there, and counted as far as it was kept", async () => {
    const tooLarge = room(100);
    expect(await read(requestOf(undefined, Request), 6, tooLarge, ["events", "!"])).toEqual({ kind: "too-large" });
    expect(tooLarge.bytes).toBe(6);
    const full = room(6);
    expect(await read(requestOf(undefined, Request), 100, full, ["eve", "nts", "!"])).toEqual({ kind: "overloaded" });
    expect(full.bytes).toBe(6);
    expect(await read(requestOf(3, Request), 100, room(6), ["eve", "nts"])).toMatchObject({ kind: "body" });
    expect(await read(requestOf(3, Request), 100, room(6), ["eve", "nts", "!"])).toEqual({ kind: "overloaded" });
  });

  it("of a client that has gone is no body, and a later error of its socket stays without effect", async () => {
    for (const event of ["close", "error"]) {
      const request = requestOf(undefined, Request);
      const answer = readBody(request, 6, room(6).enter()!);
      request.emit(event, new Error("reset"));
      expect(await answer).toEqual({ kind: "gone" });
      expect([request.listenerCount("data"), request.listenerCount("end")]).toEqual([0, 0]);
      request.emit("error", new Error("late"));
    }
    const destroyed = requestOf(undefined, Request);
    destroyed.destroy();
    expect(await readBody(destroyed, 6, room(6).enter()!)).toEqual({ kind: "gone" });
  });
});

describe("an unread body", () => {
  const isWatched = (request: IncomingMessage) => request.listenerCount("data") === 1;

  it("is left to Node where its announced length is within the bound, or nothing is left of it", async () => {
    for (const announced of [0, MAX_DISCARD_BYTES]) {
      const request = requestOf(announced);
      discardBody(request);
      expect(isWatched(request)).toBe(false);
    }
    const gone = requestOf();
    gone.destroy();
    discardBody(gone);
    expect(isWatched(gone)).toBe(false);
    const ended = requestOf();
    await read(ended, 6, room(6), ["events"]);
    discardBody(ended);
    expect(isWatched(ended)).toBe(false);
  });

  it("is discarded up to the bound, and the connection goes beyond it", () => {
    const begun = requestOf(7);
    begun.pause();
    for (const request of [requestOf(), requestOf(MAX_DISCARD_BYTES + 1), begun]) {
      discardBody(request);
      expect(isWatched(request)).toBe(true);
      request.emit("data", { length: MAX_DISCARD_BYTES - 1 });
      request.emit("data", { length: 1 });
      expect(request.destroyed).toBe(false);
      request.emit("data", { length: 1 });
      expect(request.destroyed).toBe(true);
      request.emit("error", new Error("late"));
    }
  });

  it("that comes past the stream is discarded up to the same bound, and has no listener", () => {
    const request = requestOf(7, DirectRequest);
    discardBody(request);
    request.push({ length: MAX_DISCARD_BYTES } as Buffer);
    expect([request.destroyed, isWatched(request), request.readableLength]).toEqual([false, false, 0]);
    request.push({ length: 1 } as Buffer);
    expect(request.destroyed).toBe(true);
  });

  it("that the stream has begun to have stays the stream's", async () => {
    const begun = new DirectRequest(new Socket());
    begun.push(Buffer.from("ev"));
    expect(begun.give(() => undefined)).toBe(false);
    const answer = readBody(begun, 6, room(6).enter()!);
    begun.push(Buffer.from("ents"));
    begun.push(null);
    expect(await answer).toEqual({ kind: "body", bytes: Buffer.from("events") });
  });
});
