// SPDX-License-Identifier: Apache-2.0
import { slowness } from "../../deadline";
import { columnar, event, json, MINUTE_MS } from "./events";
import { cleanUp, Service, until } from "./service";

afterEach(cleanUp);

const READABLE_WITHIN_MS = 5_000;

it("an accepted event is readable within 5 s, while others come in", async () => {
  const service = await Service.start();
  const stopped = new AbortController();
  const load = (async () => {
    for (let n = 0; !stopped.signal.aborted; n++) {
      await service.deliver(columnar(Array.from({ length: 500 }, () => event({ videoId: `load-${n % 50}` }))));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  const readable = (videoId: string) =>
    until(`${videoId} is counted`, async () => (await service.total(videoId)) === 1);
  // The stream's process is still starting, at a lower priority than all that tests do beside it.
  await service.deliver(json(event({ videoId: "first" })));
  await readable("first");
  const tookMs: number[] = [];
  let slowest = slowness();
  for (let n = 0; n < 12; n++) {
    const videoId = `read-${n}`;
    await service.deliver(json(event({ videoId })));
    const acknowledgedAt = performance.now();
    await readable(videoId);
    tookMs.push(Math.round(performance.now() - acknowledgedAt));
    slowest = Math.max(slowest, slowness());
  }
  stopped.abort();
  await load;
  process.stdout.write(`acknowledged to readable, ms: ${tookMs.join(" ")}\n`);
  expect(tookMs.filter((ms) => ms > READABLE_WITHIN_MS * slowest)).toEqual([]);
}, 90_000);

it("SIGTERM under load: what runs is answered, the service exits 0, and a restart goes on", async () => {
  const service = await Service.start();
  const startedMs = Date.now();
  const pids = [service.pid, await service.streamPid()];
  const acknowledged: string[] = [];
  const refused: number[] = [];
  const send = async (sender: number) => {
    for (let n = 0; ; n++) {
      const videoId = `sender-${sender}/batch-${n}`;
      try {
        const response = await service.post(columnar(Array.from({ length: 100 }, () => event({ videoId }))));
        await response.arrayBuffer();
        if (response.status === 202) acknowledged.push(videoId);
        else {
          refused.push(response.status);
          return;
        }
      } catch {
        return; // no longer listening
      }
    }
  };
  const senders = Promise.all([0, 1, 2, 3].map(send));
  await until("load is on", () => acknowledged.length > 100);
  expect(await service.stop()).toBe(0);
  await senders;
  expect(refused.every((status) => status === 503)).toBe(true);
  expect(service.alive()).toEqual([]);
  await service.restart();
  expect(pids).not.toContain(service.pid);
  await service.counted();
  for (const videoId of acknowledged) expect(await service.total(videoId)).toBe(100);
  await service.deliver(json(event({ videoId: "after" })));
  await service.counted();
  expect(await service.total("after")).toBe(1);
  const { totals } = await service.ledger(startedMs - MINUTE_MS, Date.now() + MINUTE_MS);
  expect(totals).toMatchObject({ balanced: true, duplicate: 0, late: 0, rejected: 0 });
}, 90_000);
