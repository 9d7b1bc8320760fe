// SPDX-License-Identifier: Apache-2.0
import { cleanUp, Service, until, viewmill } from "./service";

vi.setConfig({ testTimeout: 240_000 });
afterEach(cleanUp);

it("a canary inside and one beside a real service are well, with keys too, and stand in no ranking", async () => {
  const service = await Service.start({ environment: { VIEWMILL_CANARY_ENABLED: "true" } });
  const canary = async (path: string, headers = {}) =>
    (await (await fetch(`${service.url}${path}`, { headers })).json()) as {
      dependencies: { name: string; ok: boolean; detail: string }[];
      videos: { videoId: string }[];
    };
  await until("the first round inside is well", async () => {
    const { dependencies } = await canary("/readyz");
    return dependencies.find(({ name }) => name === "canary")?.detail.startsWith("every level says") === true;
  });
  const beside = ["canary", "--once", "--name", "beside", "--json", "--deadline", "60", "--url", service.url];
  const ended = await viewmill(beside);
  expect([ended.code, ended.stderr]).toEqual([0, ""]);
  expect(JSON.parse(ended.stdout)).toMatchObject({ outcome: "ok", lost: 0, doubled: 0 });
  await service.deliver({
    headers: { "Content-Type": "application/json" },
    bytes: JSON.stringify({ eventId: "one", videoId: "real", eventType: "VIEW", eventTime: Date.now() }),
  });
  await until("the ranking has the real video alone", async () => {
    const { videos } = await canary("/v1/top?limit=1");
    return videos.length === 1 && videos[0]?.videoId === "real";
  });
  expect((await canary("/v1/top")).videos).toHaveLength(1);
  const { key } = JSON.parse(
    (await viewmill(["keys", "create", "--name", "k", "--scope", "read", "--json", "--data", service.folder])).stdout,
  ) as { key: string };
  await until("keys are asked for", async () => (await fetch(`${service.url}/v1/top`)).status === 401);
  const metrics = await (await fetch(`${service.url}/metrics`, { headers: { Authorization: `Bearer ${key}` } })).text();
  expect(metrics).toMatch(/viewmill_canary_rounds_total\{outcome="ok"\} [1-9]/);
  expect((await viewmill([...beside.slice(0, 2), "--url", service.url, "--deadline", "1"])).code).toBe(3);
});
