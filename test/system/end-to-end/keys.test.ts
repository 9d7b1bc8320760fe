// SPDX-License-Identifier: Apache-2.0
/** Keys as people use them: made by the command line, asked for by a running service, revoked beside it. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cleanUp, Service, temporaryFolder, until, viewmill } from "./service";

vi.setConfig({ testTimeout: 240_000 });
afterEach(cleanUp);

const EVENT = { eventId: "e-1", videoId: "v-1", eventType: "VIEW", eventTime: Date.now() };

async function created(folder: string, ...flags: string[]): Promise<{ id: string; key: string }> {
  const { code, stdout, stderr } = await viewmill([
    ..."keys create --name test --json --data".split(" "),
    folder,
    ...flags,
  ]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as { id: string; key: string };
}

function ask(service: Service, path: string, key?: string, method = "GET", body?: unknown): Promise<Response> {
  return fetch(`${service.url}${path}`, {
    method,
    headers: {
      ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

it("a service asks for keys as soon as there is one: scopes hold on every road, and a revoked key stops", async () => {
  const service = await Service.start();
  expect((await ask(service, "/v1/events", undefined, "POST", EVENT)).status).toBe(202);
  const writer = await created(service.folder, "--scope", "write", "--event-type", "VIEW,LIKE");
  const operator = await created(service.folder, "--scope", "read,operate");
  await until("both keys are taken", async () => (await ask(service, "/v1/top", operator.key)).status === 200);
  await until("keys are asked for", async () => (await ask(service, "/v1/top")).status === 401);

  const statuses = async (key?: string) => {
    const answers = await Promise.all([
      ask(service, "/v1/events", key, "POST", EVENT),
      ask(service, "/v1/videos/v-1", key),
      ask(service, "/metrics", key),
      ask(service, "/v1/keys", key),
      ask(service, "/v1/query", key, "POST", { videoIds: ["v-1"], eventTypes: ["VIEW"] }),
      ask(service, "/readyz", key),
      ask(service, "/openapi.json", key),
    ]);
    return answers.map(({ status }) => status);
  };
  expect(await statuses()).toEqual([401, 401, 401, 401, 401, 200, 200]);
  expect(await statuses(writer.key)).toEqual([202, 403, 403, 403, 403, 200, 200]);
  expect(await statuses(operator.key)).toEqual([403, 200, 200, 200, 200, 200, 200]);
  const refused = await ask(service, "/v1/events", writer.key, "POST", { ...EVENT, eventType: "SHARE" });
  expect([refused.status, refused.headers.get("content-type")]).toEqual([403, "application/problem+json"]);

  const made = await ask(service, "/v1/keys", operator.key, "POST", { name: "page", scopes: ["write"], public: true });
  const page = (await made.json()) as { id: string; key: string };
  const sent = { method: "POST", headers: { "Content-Type": "text/plain" }, body: JSON.stringify(EVENT) };
  expect((await fetch(`${service.url}/v1/events?key=${page.key}`, sent)).status).toBe(202);
  expect((await ask(service, `/v1/keys/${page.id}`, operator.key, "DELETE")).status).toBe(200);
  expect((await fetch(`${service.url}/v1/events?key=${page.key}`, sent)).status).toBe(401);
  expect((await ask(service, "/v1/keys/none", operator.key, "DELETE")).status).toBe(404);
  expect((await viewmill(["keys", "revoke", writer.id, "--data", service.folder])).code).toBe(0);
  const since = performance.now();
  await until(
    "the other is taken no more",
    async () => (await ask(service, "/v1/events", writer.key, "POST", EVENT)).status === 401,
  );
  expect(performance.now() - since).toBeLessThan(10_000);
  const list = await viewmill(["keys", "list", "--data", service.folder, "--json"]);
  expect(list.stdout).not.toContain(writer.key.slice(-43));
  expect((JSON.parse(list.stdout) as { keys: { state: string }[] }).keys.map(({ state }) => state).sort()).toEqual([
    "active",
    "revoked",
    "revoked",
  ]);
});

it("beyond loopback it refuses to start without keys, with one line; an operator's key, a key or --insecure lets it", async () => {
  const folder = temporaryFolder();
  const serve = (...flags: string[]) =>
    viewmill(["serve", "--host", "0.0.0.0", "--port", "0", "--data", folder, ...flags]);
  const refused = await serve();
  expect([refused.code, refused.stderr.trim().split("\n").length]).toEqual([1, 1]);
  expect(refused.stderr).toMatch(/has no keys: make one with `viewmill keys create/);
  const operators = {
    VIEWMILL_HTTP_OPERATIONS_ENABLED: "true",
    VIEWMILL_HTTP_OPERATIONS_HOST: "0.0.0.0",
    VIEWMILL_HTTP_OPERATIONS_PORT: "0",
  };
  const alsoRefused = await viewmill(["serve", "--port", "0", "--data", folder], operators);
  expect([alsoRefused.code, alsoRefused.stderr]).toEqual([1, expect.stringContaining("on 0.0.0.0 and has no keys")]);
  const short = join(folder, "short");
  writeFileSync(short, "too-short\n");
  const environment = { VIEWMILL_HTTP_HOST: "0.0.0.0", VIEWMILL_KEYS_OPERATOR_KEY_FILE: short };
  const ended = await viewmill(["serve", "--port", "0", "--data", folder], environment);
  expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining("at least 32 are wanted")]);

  const insecure = await Service.start({
    environment: { VIEWMILL_HTTP_HOST: "0.0.0.0", VIEWMILL_HTTP_INSECURE: "true" },
  });
  expect((await fetch(`${insecure.url}/v1/top`)).status).toBe(200);
  const text = "an-operator-key-of-more-than-32-characters";
  const file = join(folder, "operator");
  writeFileSync(file, `${text}\n`);
  chmodSync(file, 0o400);
  const guarded = await Service.start({
    environment: { VIEWMILL_HTTP_HOST: "0.0.0.0", VIEWMILL_KEYS_OPERATOR_KEY_FILE: file },
  });
  expect((await ask(guarded, "/v1/keys")).status).toBe(401);
  expect((await ask(guarded, "/v1/keys", text)).status).toBe(200);
  const read = (...flags: string[]) => viewmill(["top", "--url", guarded.url, ...flags]);
  expect(await read()).toMatchObject({ code: 1, stderr: expect.stringContaining("send a key") });
  expect((await read("--key-file", file)).code).toBe(0);
  const events = join(folder, "events.ndjson");
  writeFileSync(events, `${JSON.stringify(EVENT)}\n`);
  const sent = await viewmill(["send", events, "--url", guarded.url, "--json", "--key-file", file]);
  expect(JSON.parse(sent.stdout)).toMatchObject({ accepted: 1, rejected: 0 });
});

it("with a listener of their own, /metrics and operating endpoints are not on the public one", async () => {
  const environment = { VIEWMILL_HTTP_OPERATIONS_ENABLED: "true", VIEWMILL_HTTP_OPERATIONS_PORT: "0" };
  const service = await Service.start({ environment });
  const line = service.log.find(({ msg }) => msg === "operating endpoints listen") as unknown as { url: string };
  const { key } = await created(service.folder, "--scope", "operate");
  await until("keys are asked for", async () => (await ask(service, "/v1/top")).status === 401);
  expect((await ask(service, "/metrics", key)).status).toBe(404);
  expect((await ask(service, "/v1/keys", key)).status).toBe(404);
  const there = (path: string, bearer?: string) =>
    fetch(`${line.url}${path}`, { headers: bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` } });
  expect((await there("/metrics")).status).toBe(200);
  expect((await there("/readyz")).status).toBe(200);
  expect((await there("/v1/keys")).status).toBe(401);
  expect((await there("/v1/keys", key)).status).toBe(200);
});
