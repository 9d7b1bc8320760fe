// SPDX-License-Identifier: Apache-2.0
/** A service that keeps or breaks its promise, and the verdict of the demonstrations' watch. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PromiseWatch } from "../../demo/promise-watch";
import { SendingPace } from "../../demo/sent-events";

const WAIT = { interval: 20, timeout: 30_000 };

interface Answer {
  count: number;
  completeThroughMs: number;
}

describe("the watch over completeThrough", () => {
  let folder = "";
  let server: Server;
  let answer: (videoId: string) => Answer;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-watch-"));
    server = createServer((request, response) => {
      if (request.method === "POST") {
        request.resume();
        response.writeHead(202).end(JSON.stringify({ accepted: 1, rejected: [] }));
        return;
      }
      const { count, completeThroughMs } = answer(request.url!.split("/").at(-1)!);
      const totals = count === 0 ? {} : { VIEW: { count } };
      const completeThrough = new Date(completeThroughMs).toISOString();
      response.end(JSON.stringify({ totals, asOf: new Date().toISOString(), completeThrough }));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const watch = () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return new PromiseWatch(url, Date.now, new SendingPace(), join(folder, "probes.ndjson"));
  };

  it("has nothing to say of answers that hold what they call complete, or call nothing complete", async () => {
    answer = (videoId) =>
      videoId === "probe-0" ? { count: 0, completeThroughMs: 0 } : { count: 1, completeThroughMs: Date.now() };
    const watching = watch();
    await vi.waitFor(() => expect(watching.accepted).toBeGreaterThan(3), WAIT);
    const { broken, answers, probes } = await watching.stop();
    expect(broken).toEqual([]);
    expect(answers).toBeGreaterThan(3);
    const lines = readFileSync(join(folder, "probes.ndjson"), "utf8").trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { videoId: string }).videoId)).toEqual(
      Array.from({ length: probes }, (_, n) => `probe-${n}`),
    );
  });

  it.each([0, 2])("names an accepted event that an answer calls complete and counts %d times", async (count) => {
    answer = () => ({ count, completeThroughMs: Date.now() + 1_000 });
    const watching = watch();
    await vi.waitFor(() => expect(watching.accepted).toBeGreaterThan(1), WAIT);
    const { broken } = await watching.stop();
    expect(broken[0]).toMatch(new RegExp(`^probe-0, accepted at .* has count ${count} as of `));
  });
});

test("while sending is paused nothing is begun, and what was begun is answered before", async () => {
  const pace = new SendingPace();
  const done: string[] = [];
  let answer: () => void = () => undefined;
  const begun = pace.request(async () => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    done.push("begun before");
  });
  const paused = pace.pausedFor(async () => {
    done.push("paused");
    await new Promise((resolve) => setImmediate(resolve));
    done.push("going on");
  });
  const next = pace.request(async () => {
    done.push("begun after");
  });
  answer();
  await Promise.all([begun, paused, next]);
  expect(done).toEqual(["begun before", "paused", "going on", "begun after"]);
});
