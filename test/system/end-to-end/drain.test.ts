// SPDX-License-Identifier: Apache-2.0
import { cleanUp, Service, until } from "./service";

vi.setConfig({ testTimeout: 240_000 });
afterEach(cleanUp);

it("SIGTERM lets readiness fall first, while requests are still answered; then it ends in order", async () => {
  const service = await Service.start({ environment: { VIEWMILL_HTTP_DRAIN_SECONDS: "4" } });
  const event = (n: number) => ({
    headers: { "Content-Type": "application/json" },
    bytes: JSON.stringify({ eventId: `e-${n}`, videoId: "v", eventType: "VIEW", eventTime: Date.now() }),
  });
  expect((await service.post(event(0))).status).toBe(202);
  const stopped = service.stop();
  await until("readiness falls", async () => (await fetch(`${service.url}/readyz`)).status === 503);
  const answer = await service.post(event(1));
  expect([answer.status, answer.headers.get("connection")]).toEqual([202, "close"]);
  expect(await stopped).toBe(0);
  await service.restart();
  await until("both are counted", async () => (await service.total("v")) === 2);
});
