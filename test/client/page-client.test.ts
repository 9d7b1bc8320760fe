// SPDX-License-Identifier: Apache-2.0
/**
 * `viewmill/client` in a page of a real Chromium: it is small, nothing is lost when the page goes away, and nothing
 * counts twice.
 */

import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import type * as PageModule from "../../client/browser";
import { startBrowser } from "../../servers/browser";
import { openPage } from "../dashboard/browser";
import { IngestHarness } from "../ingest-api/ingest-harness";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { describeWithPrograms, PROGRAMS_START_MS } from "../programs";
import { until } from "../system/end-to-end/service";

const SCRIPT = readFileSync(join(__dirname, "..", "..", "dashboard", "client.js"));
const MOST_BYTES = 8_000;
const TEST_MS = 2 * 60_000;

it("is smaller than 8 kB, compressed", () => {
  expect(gzipSync(SCRIPT, { level: 9 }).byteLength).toBeLessThan(MOST_BYTES);
});

const PAGE = `<!doctype html><title>A page</title>
<script type="module">import { ViewmillClient } from "/client.js"; globalThis.Client = ViewmillClient;</script>`;

/**
 * A page, its client and the real write API at one origin. While `away`, requests for events are cut without an answer.
 */
class Site {
  away = false;
  /** Content types of the requests for events, the cut ones too. */
  readonly asked: string[] = [];
  url = "";
  #server!: Server;

  async start(harness: IngestHarness): Promise<this> {
    harness.nowMs = Date.now();
    const write = harness.server.listeners("request")[0] as (
      request: IncomingMessage,
      response: ServerResponse,
    ) => void;
    this.#server = createServer((request, response) => {
      if (request.url === "/client.js") response.setHeader("Content-Type", "text/javascript").end(SCRIPT);
      else if (!request.url?.startsWith("/v1/")) response.setHeader("Content-Type", "text/html").end(PAGE);
      else {
        this.asked.push(request.headers["content-type"] ?? "");
        if (this.away) request.socket.destroy();
        else write(request, response);
      }
    });
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Makes the client of a page; `client` is its name there. */
async function makeClient(
  page: Page,
  options: Pick<PageModule.ViewmillClientOptions, "lingerMs" | "queue">,
): Promise<void> {
  await page.waitForFunction(() => "Client" in globalThis);
  await page.evaluate((given) => {
    Object.assign(globalThis, { client: new Client({ url: location.origin, ...given }) });
  }, options);
}

/** The variables that a page's functions see. */
declare const client: PageModule.ViewmillClient;
declare const Client: typeof PageModule.ViewmillClient;

describeWithPrograms("the client in a page", ["chromium"], () => {
  let browser: Browser;
  let harness: IngestHarness;
  const stores = emptiedStores();
  let site: Site;

  beforeAll(async () => {
    browser = await startBrowser();
  }, PROGRAMS_START_MS);
  beforeEach(async () => {
    harness = await IngestHarness.start({ stores: await stores() });
    site = await new Site().start(harness);
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    await site.stop();
    await harness.stop();
  }, TEST_MS);
  afterAll(() => browser?.close(), TEST_MS);

  const distinct = async () => new Set((await harness.events()).map(({ eventId }) => eventId)).size;

  it("sends in batches and says what was refused", { timeout: TEST_MS }, async () => {
    const { page, complaints } = await openPage(browser, site.url);
    await makeClient(page, {});
    const refusal = await page.evaluate(async () => {
      await Promise.all(Array.from({ length: 300 }, () => client.countViewEvent("cats-42")));
      const refused = await client.countViewEvent("no video").catch((error: { reason: string }) => error.reason);
      await client.close();
      return refused;
    });
    expect(refusal).toBe("bad-video-id");
    expect(await distinct()).toBe(300);
    expect(complaints).toEqual([]);
  });

  it("lets what lingers leave by beacon when the page is closed", { timeout: TEST_MS }, async () => {
    const { page } = await openPage(browser, site.url);
    await makeClient(page, { lingerMs: 600_000 });
    await page.evaluate(() => {
      for (let n = 0; n < 400; n++) void client.processEvent("cats-42", "VIEW", "SUM", n);
    });
    expect(await harness.events()).toEqual([]);
    await page.close({ runBeforeUnload: true });
    await until("every event arrives", async () => (await distinct()) === 400);
    expect(site.asked.every((type) => type.startsWith("text/plain"))).toBe(true);
  });

  it("counts once what left by beacon and then by the ordinary road", { timeout: TEST_MS }, async () => {
    const { page } = await openPage(browser, site.url);
    await makeClient(page, { lingerMs: 600_000 });
    const ids = await page.evaluate(async () => {
      void client.countViewEvent("cats-42");
      const hide = () => document.dispatchEvent(new Event("visibilitychange"));
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      hide();
      hide();
      return client.flush();
    });
    expect(ids).toEqual({ unanswered: 0 });
    await until("both roads were taken", async () => (await harness.events()).length === 2);
    const events = await harness.events();
    expect(await distinct()).toBe(1);
    expect(new Set(events.map(({ eventTimeMs }) => eventTimeMs)).size).toBe(1);
    expect(site.asked).toHaveLength(2);
  });

  it("sends after a reload what no service took before it, once each", { timeout: TEST_MS }, async () => {
    const { page } = await openPage(browser, site.url);
    site.away = true;
    await makeClient(page, { queue: true });
    await page.evaluate(() => {
      for (let n = 0; n < 50; n++) void client.countViewEvent(`video-${n}`);
    });
    await until("the queue holds every event", async () => (await queued(page)) === 50);
    await page.reload();
    expect(await harness.events()).toEqual([]);
    site.away = false;
    await makeClient(page, { queue: true });
    await until("every event arrives", async () => (await distinct()) === 50);
    await until("the queue is empty", async () => (await queued(page)) === 0);
    const sent = (await harness.events()).length;
    await page.reload();
    await makeClient(page, { queue: true });
    await page.evaluate(() => client.countViewEvent("last"));
    expect((await harness.events()).length).toBe(sent + 1);
  });

  it("keeps at most so many events, and the first ones", { timeout: TEST_MS }, async () => {
    const { page } = await openPage(browser, site.url);
    site.away = true;
    await makeClient(page, { queue: { maxEvents: 5 } });
    await page.evaluate(() => {
      for (let n = 0; n < 8; n++)
        void client.processEvents([{ videoId: "cats-42", eventType: "VIEW", eventId: `e${n}` }]);
    });
    await until("the queue is full", async () => (await queued(page)) === 5);
    site.away = false;
    await page.reload();
    await makeClient(page, { queue: { maxEvents: 5 } });
    await until("the queue is empty", async () => (await queued(page)) === 0);
    const ids = new Set((await harness.events()).map(({ eventId }) => eventId));
    for (const id of ["e0", "e1", "e2", "e3", "e4"]) expect(ids).toContain(id);
  });

  it("forgets what the service refuses", { timeout: TEST_MS }, async () => {
    const { page } = await openPage(browser, site.url);
    await makeClient(page, { queue: true });
    await page.evaluate(() => client.countViewEvent("no video").catch(() => {}));
    await until("the queue is empty", async () => (await queued(page)) === 0);
    expect((await harness.letters()).length).toBe(1);
  });
});

/** Returns the number of events in the queue of the page's origin, which is opened beside the client. */
function queued(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open("viewmill", 1);
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const database = opening.result;
          const count = database.transaction("events").objectStore("events").count();
          count.onsuccess = () => {
            database.close();
            resolve(count.result);
          };
        };
      }),
  );
}
