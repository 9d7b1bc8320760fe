// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { event, IngestHarness, text } from "./ingest-harness";

const CHILD = join(__dirname, "ingest-child.js");

async function startChild(folder: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [CHILD, folder], { stdio: ["ignore", "pipe", "inherit"] });
  const [url] = (await once(child.stdout!, "data")) as [Buffer];
  return { child, url: url.toString().trim() };
}

/** Resolves to the status, or undefined where no whole answer came. */
function post(url: string, agent: Agent, body: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
    const sent = request(`${url}/v1/events`, { method: "POST", agent, headers }, (response) => {
      response.resume().on("error", () => resolve(undefined));
      response.on("end", () => resolve(response.complete ? response.statusCode : undefined));
    });
    sent.on("error", () => resolve(undefined));
    sent.end(body);
  });
}

it("what was answered 202 survives kill -9: accepted events in the log, refused ones in the dead letters", async () => {
  const folder = mkdtempSync(join(tmpdir(), "viewmill-kill-"));
  const acknowledged: string[] = [];
  const refused: string[] = [];
  for (let round = 0; round < 4; round++) {
    const { child, url } = await startChild(folder);
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    let alive = true;
    const enough = acknowledged.length + 150 + round * 40;
    const lanes = Array.from({ length: 16 }, async () => {
      while (alive) {
        const good = event();
        const bad = JSON.stringify(event({ value: 0.5 }));
        if ((await post(url, agent, `[${JSON.stringify(good)},${bad}]`)) === 202) {
          acknowledged.push(String(good.eventId));
          refused.push(bad);
        } else if (!alive) return;
        // In the middle of the other lanes' requests.
        if (acknowledged.length >= enough && alive) {
          alive = false;
          child.kill("SIGKILL");
        }
      }
    });
    await Promise.all(lanes);
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    agent.destroy();
  }
  const harness = await IngestHarness.start({ folder });
  const stored = new Set((await harness.events()).map((e) => e.eventId));
  const letters = new Set((await harness.letters()).map((letter) => text(letter.payload)));
  expect(acknowledged.length).toBeGreaterThanOrEqual(600);
  expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
  expect(refused.filter((bytes) => !letters.has(bytes))).toEqual([]);
  await harness.stop();
}, 60_000);
