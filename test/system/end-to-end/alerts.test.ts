// SPDX-License-Identifier: Apache-2.0
/** Alerts as an operator uses them: rules in a file, a receiver that fails at first, a service that is killed. */

import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { signatureHeaders, webhookSecret } from "../../../io/webhooks/signature";
import { cleanUp, Service, temporaryFolder, until, viewmill } from "./service";

vi.setConfig({ testTimeout: 240_000 });

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
interface Got {
  id: string;
  isSigned: boolean;
  data: { rule: string; detail: string };
}
let server: Server;
let got: Got[];
let status: number;
beforeEach(async () => {
  got = [];
  status = 503;
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const id = String(request.headers["webhook-id"]);
    const signed = signatureHeaders(webhookSecret(SECRET), id, Number(request.headers["webhook-timestamp"]), body);
    const isSigned = request.headers["webhook-signature"] === signed["webhook-signature"];
    got.push({ id, isSigned, data: (JSON.parse(body) as { data: Got["data"] }).data });
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  await cleanUp();
  server.closeAllConnections();
  server.close();
});

/** A service with three rules and one webhook, at the receiver of this file. */
async function alertingService(): Promise<Service> {
  const folder = temporaryFolder();
  const secretFile = join(folder, "secret");
  writeFileSync(secretFile, `${SECRET}\n`);
  const config = join(folder, "viewmill.json");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const rules = [
    { name: "ten", kind: "video-passes", videoId: "v", count: 10 },
    { name: "thirty", kind: "video-passes", videoId: "v", count: 30 },
    { name: "refused", kind: "dead-letters", reason: "bad-video-id" },
  ];
  const alerts = {
    everySeconds: 1,
    privateNetworks: ["127.0.0.0/8"],
    rules,
    webhooks: [{ name: "hook", url, secretFile }],
  };
  writeFileSync(config, JSON.stringify({ alerts }));
  return Service.start({ folder: join(folder, "data"), environment: { VIEWMILL_CONFIG: config } });
}

/** Replays the first message by the command, then all three by the API. */
async function replayTwice(service: Service, messageId: string): Promise<void> {
  const before = got.length;
  const replay = await viewmill(["webhooks", "replay", "--id", messageId, "--data", service.folder]);
  expect([replay.code, replay.stdout]).toEqual([0, "1 wait again\n"]);
  const again = () => got.length === before + 1 && got.at(-1)?.id === messageId;
  await until("it is delivered again, by the same id", again);
  const asked = await fetch(`${service.url}/v1/webhooks/replay`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ state: "delivered", webhook: "hook" }),
  });
  expect(await asked.json()).toEqual({ replayed: 3 });
  await until("all three are delivered again", () => got.length === before + 4);
}

it("each crossing is told once, over kill -9, a receiver that fails, and replay", async () => {
  const service = await alertingService();
  let sent = 0;
  const send = async (events: number, changes = {}) => {
    const list = Array.from({ length: events }, () => ({
      eventId: `e${sent++}`,
      videoId: "v",
      eventType: "VIEW",
      eventTime: Date.now(),
      ...changes,
    }));
    await service.deliver({ headers: { "Content-Type": "application/json" }, bytes: JSON.stringify(list) });
  };
  const listed = async (...flags: string[]) => {
    const { stdout } = await viewmill(["webhooks", "list", "--json", "--data", service.folder, ...flags]);
    return (JSON.parse(stdout) as { deliveries: { rule: string; state: string; messageId: string }[] }).deliveries;
  };

  await send(9);
  await service.counted();
  await send(3);
  await send(1, { videoId: "no such id" });
  await until("both are attempted", () => new Set(got.map(({ data }) => data.rule)).size === 2);
  expect((await listed("--state", "waiting")).map(({ rule }) => rule).sort()).toEqual(["refused", "ten"]);
  await service.kill9("service");
  status = 200;
  await service.restart();
  await until("both are delivered", async () => (await listed("--state", "delivered")).length === 2);
  await send(20);
  await until("the third is delivered", async () => (await listed("--state", "delivered")).length === 3);
  await service.kill9("service");
  await service.restart();
  await service.counted();
  await send(5);
  await service.counted();

  const delivered = await listed();
  expect(delivered.map(({ rule, state }) => [rule, state])).toEqual([
    ["thirty", "delivered"],
    ...delivered.slice(1).map(({ rule }) => [rule, "delivered"]),
  ]);
  expect(delivered).toHaveLength(3);
  expect(got.every(({ isSigned }) => isSigned)).toBe(true);
  expect(new Set(got.map(({ id }) => id))).toEqual(new Set(delivered.map(({ messageId }) => messageId)));
  expect(got.find(({ data }) => data.rule === "ten")?.data.detail).toMatch(
    /^video v has 1\d VIEW, and 10 were waited for$/,
  );

  await replayTwice(service, delivered[0]!.messageId);
  const page = await service.get<{ deliveries: object[]; cursor: string }>("/v1/webhooks?limit=2");
  expect(page.deliveries).toHaveLength(2);
  expect(
    (await service.get<{ deliveries: object[] }>(`/v1/webhooks?limit=2&cursor=${page.cursor}`)).deliveries,
  ).toHaveLength(1);
  expect(await (await fetch(`${service.url}/metrics`)).text()).toMatch(
    /viewmill_webhook_attempts_total\{webhook="hook",outcome="delivered"\} [4-9]/,
  );
});

it("commands of a folder without alerts make nothing, and a wrong secret stops the start with one line", async () => {
  const folder = temporaryFolder();
  expect((await viewmill(["webhooks", "list", "--data", join(folder, "none")])).code).toBe(1);
  expect(await viewmill(["webhooks", "list", "--data", folder])).toMatchObject({ code: 0, stdout: "no messages\n" });
  expect(await viewmill(["webhooks", "replay", "--data", folder])).toMatchObject({ code: 0, stdout: "0 wait again\n" });
  const secretFile = join(folder, "secret");
  writeFileSync(secretFile, "my-password");
  const environment = {
    VIEWMILL_ALERTS_WEBHOOKS: JSON.stringify([{ name: "h", url: "https://example.com", secretFile }]),
  };
  const ended = await viewmill(["serve", "--port", "0", "--data", join(folder, "data")], environment);
  expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(/^viewmill: .*h: secretFile.*\n$/)]);
  expect(ended.stderr).not.toContain("my-password");
});
