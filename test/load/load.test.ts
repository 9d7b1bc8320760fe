// SPDX-License-Identifier: Apache-2.0
/**
 * The script for k6 and the plan for JMeter send what a real service takes, and count each event once. The tools
 * themselves are not started here: docs/bench/load-tools.md has their runs.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";
import { cleanUp, Service } from "../system/end-to-end/service";

const FOLDER = join(__dirname, "..", "..", "..", "load");
const JSON_TYPE = { "Content-Type": "application/json" };

let service: Service;
beforeAll(async () => {
  service = await Service.start();
}, 120_000);
afterAll(cleanUp, 60_000);

interface K6Script {
  options: { scenarios: Record<string, { exec: string }> };
  write: () => void;
  read: () => void;
}

/** Runs the script's functions as k6 would, with its modules replaced by ones that note what is asked. */
function k6(env: Record<string, string>) {
  const { code } = transformSync(readFileSync(join(FOLDER, "k6.mjs"), "utf8"), { loader: "js", format: "cjs" });
  const asked: { method: string; url: string; body: string; headers: Record<string, string> }[] = [];
  const checks: boolean[] = [];
  const note = (method: string, url: string, body: string | null, { headers }: { headers: Record<string, string> }) => {
    asked.push({ method, url, body: body ?? "", headers });
    const accepted = method === "POST" ? (JSON.parse(body!) as unknown[]).length : 0;
    return { status: method === "POST" ? 202 : 200, body: JSON.stringify({ accepted }) };
  };
  const http = {
    post: (...args: [string, string, { headers: Record<string, string> }]) => note("POST", ...args),
    batch: (list: Parameters<typeof note>[]) => list.map((each) => note(...each)),
  };
  const modules: Record<string, object> = {
    k6: {
      check: (answer: unknown, wanted: Record<string, (answer: unknown) => boolean>) => {
        const holds = Object.values(wanted).every((holdsFor) => holdsFor(answer));
        checks.push(holds);
        return holds;
      },
    },
    "k6/http": { default: http, __esModule: true },
    "k6/metrics": {
      Counter: class {
        add() {}
      },
    },
  };
  const module = { exports: {} as K6Script };
  const iteration = { at: 0 };
  const run = new Function("require", "module", "__ENV", "context", `with (context) { ${code} }`);
  const context = {
    __VU: 1,
    get __ITER() {
      return iteration.at;
    },
  };
  run((name: string) => modules[name], module, env, context);
  return { script: module.exports, asked, checks, iteration };
}

it("k6: every scenario has its function, and bodies and reads are what the service takes", async () => {
  const { script, asked, checks, iteration } = k6({ URL: service.url, KEY: "vm_key" });
  for (const { exec } of Object.values(script.options.scenarios)) expect(script).toHaveProperty(exec);
  for (; iteration.at < 3; iteration.at++) script.write();
  script.read();
  expect(checks).not.toContain(false);
  expect(asked.map(({ method }) => method)).toEqual(["POST", "POST", "POST", "GET", "GET", "GET"]);
  for (const { headers } of asked) expect(headers).toMatchObject({ ...JSON_TYPE, Authorization: "Bearer vm_key" });
  for (const { method, url, body, headers } of asked) {
    const answer = await fetch(url, { method, headers, ...(method === "POST" ? { body } : {}) });
    expect([url, answer.status]).toEqual([url, method === "POST" ? 202 : 200]);
    if (method === "POST") expect(await answer.json()).toEqual({ accepted: 50, rejected: [] });
  }
  const ids = asked
    .slice(0, 3)
    .flatMap(({ body }) => (JSON.parse(body) as { eventId: string }[]).map((e) => e.eventId));
  expect(new Set(ids).size).toBe(150);
});

it("JMeter: the plan's requests are what the service takes, each event with an id of its own", async () => {
  const plan = readFileSync(join(FOLDER, "jmeter.jmx"), "utf8");
  const filled = (text: string) =>
    text
      .replaceAll("&quot;", '"')
      .replace(/\$\{__UUID\}/g, () => randomUUID())
      .replace(/\$\{__time\(\)\}/g, () => String(Date.now()))
      .replace(/\$\{__Random\((\d+),\d+\)\}/g, "$1");
  const samplers = [...plan.matchAll(/<HTTPSamplerProxy [\s\S]*?<\/HTTPSamplerProxy>/g)].map(([text]) => text);
  const part = (text: string, name: string) =>
    new RegExp(`<stringProp name="${name}">([\\s\\S]*?)</stringProp>`).exec(text)?.[1];
  expect(samplers).toHaveLength(2);
  for (const text of samplers) {
    const [method, path, body] = [
      part(text, "HTTPSampler.method")!,
      part(text, "HTTPSampler.path")!,
      part(text, "Argument.value"),
    ];
    const init = body === undefined ? {} : { body: filled(body), headers: JSON_TYPE };
    expect(`${path}${body ?? ""}`.replace(/\$\{__(?:UUID|time\(\)|Random\(\d+,\d+\))\}/g, "")).not.toContain("${");
    const answer = await fetch(`${service.url}${filled(path)}`, { method, ...init });
    expect([path, answer.status]).toEqual([path, method === "POST" ? 202 : 200]);
    if (method === "POST") expect(await answer.json()).toEqual({ accepted: 2, rejected: [] });
  }
  await service.counted();
  expect(await service.total("jmeter-0")).toBe(1);
});
