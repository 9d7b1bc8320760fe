// SPDX-License-Identifier: Apache-2.0
/** Refusals over a real connection: one text for each refusal, and an instance of its own for each answer. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { ADMISSION_TITLES, type Refusal } from "../../admission/refusal";
import { sendRefusal } from "../../admission/refusal-answer";

it("each answer is the problem of its refusal, with an instance of its own", async () => {
  const refusals: Refusal[] = [
    { kind: "rate-limited", status: 429, detail: "ten “events” a second", headers: { "Retry-After": "3", A: "b" } },
    { kind: "unauthorized", status: 401, detail: 'a "key"\\\n', headers: { "WWW-Authenticate": "Bearer" } },
    { kind: "forbidden", status: 403, detail: "", headers: {} },
  ];
  const instances: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    instances.push(sendRefusal(response, refusals[Number(request.url!.slice(1))]!));
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  for (const n of [0, 1, 0, 2, 1, 0]) {
    const { kind, status, detail, headers } = refusals[n]!;
    const answer = await fetch(`http://127.0.0.1:${port}/${n}`);
    const text = await answer.text();
    const fields = { "cache-control": "no-store", "content-type": "application/problem+json" };
    expect(answer.status).toBe(status);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      ...fields,
      "content-length": String(Buffer.byteLength(text)),
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    });
    expect(JSON.parse(text)).toMatchObject({ status, title: ADMISSION_TITLES[kind], instance: instances.at(-1) });
    expect(JSON.parse(text).detail ?? "").toBe(detail);
    expect(JSON.parse(text).instance).toMatch(
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    );
  }
  expect(new Set(instances).size).toBe(6);
  await new Promise((resolve) => server.close(resolve));
});
