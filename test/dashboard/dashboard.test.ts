// SPDX-License-Identifier: Apache-2.0
/** The dashboard in a real browser: the screen equals the API, whatever happens to the service. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { startBrowser } from "../../servers/browser";
import { describeWithPrograms, PROGRAMS_START_MS } from "../programs";
import { event, json } from "../system/end-to-end/events";
import { cleanUp, Service, startViewmill, temporaryFolder, until, viewmill } from "../system/end-to-end/service";
import { layoutShift, openPage, seriousFindings } from "./browser";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const TEST_MS = 4 * MINUTE_MS;
/** Chromium's own, for requests that a stopped service does not answer. */
const LOST_CONNECTION = /net::ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|CONNECTION_RESET)/;
const WRITES_PICTURES = process.env.VIEWMILL_PICTURES === "write";
const PICTURES = join(__dirname, "..", "..", "..", "docs", "images");
const SCHEMES = ["light", "dark"] as const;
const VIEWS = ["#/", "#/video/cats-42", "#/channel/two-cats", "#/top", "#/top?by=growth", "#/trust"];
/** The first page's JavaScript as it travels. */
const MAX_SCRIPT_BYTES = 60_000;
interface Saved {
  start: string;
  value: number;
  state: string;
  revision?: number;
}

/** The script that other pages embed, as it travels. */
const MAX_EMBED_BYTES = 1_000;

describeWithPrograms("the dashboard", ["chromium"], () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await startBrowser();
  }, PROGRAMS_START_MS);
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  }, TEST_MS);
  afterAll(() => browser?.close(), TEST_MS);

  describe("with a service of its own", () => {
    afterEach(cleanUp, TEST_MS);

    it("shows the first number without a reload where nothing was counted", { timeout: TEST_MS }, async () => {
      const service = await Service.start();
      const { page, complaints } = await openPage(browser, service.url);
      await page.getByText("Nothing counted yet").waitFor();
      await service.deliver(json(event({ videoId: "cats-42" })));
      await page.getByRole("link", { name: "cats-42" }).first().waitFor();
      expect(complaints).toEqual([]);
    });

    it("sends a minute of demo traffic at the press of a button", { timeout: TEST_MS }, async () => {
      const service = await Service.start();
      const { page } = await openPage(browser, service.url);
      await page.getByRole("button", { name: "Send a minute of demo traffic" }).press("Enter");
      await until("demo traffic is accepted", async () => {
        const { totals } = await service.ledger(Date.now() - HOUR_MS, Date.now() + HOUR_MS);
        return totals.accepted > 40;
      });
      await page.getByText("Most viewed in the last hour").waitFor();
      const { totals } = await service.ledger(Date.now() - HOUR_MS, Date.now() + HOUR_MS);
      expect(totals.rejected).toBe(0);
    });

    it("shows what the API says, through live updates and a late correction", { timeout: TEST_MS }, async () => {
      const service = await Service.start();
      await fill(service);
      const { page, complaints } = await openPage(browser, `${service.url}/#/video/cats-42`);
      await screenEqualsApi(page, service);
      const channel = await openPage(browser, `${service.url}/#/channel/two-cats`);
      await channel.page.getByRole("heading", { name: "Two Cats", level: 1 }).waitFor();
      await screenEqualsApi(channel.page, service, "channels/two-cats");
      await service.deliver(json([event({ videoId: "cats-42" }), event({ videoId: "cats-42", eventType: "SHARE" })]));
      await screenEqualsApi(page, service);
      // Thirty hours late: a bar of the 48 hours changes under the reader's eyes.
      const late = await service.deliver(json(event({ videoId: "cats-42", eventTime: Date.now() - 30 * HOUR_MS })));
      expect(late.accepted).toBe(1);
      await screenEqualsApi(page, service);
      await screenEqualsApi(channel.page, service, "channels/two-cats");
      for (const shown of [page, channel.page]) expect(await layoutShift(shown)).toBeLessThan(0.1);
      expect([...complaints, ...channel.complaints]).toEqual([]);
    });

    it("keeps up over a killed stream and a lost connection", { timeout: TEST_MS }, async () => {
      const service = await Service.start();
      await fill(service);
      const { page, complaints } = await openPage(browser, `${service.url}/#/video/cats-42`);
      await screenEqualsApi(page, service);
      await service.kill9("stream");
      await service.deliver(json(event({ videoId: "cats-42" })));
      await screenEqualsApi(page, service);
      const port = Number(new URL(service.url).port);
      await service.stop();
      await page.getByText("no connection").waitFor();
      await service.restart({}, port);
      await service.deliver(json(event({ videoId: "cats-42" })));
      await page.getByText(/^(live|polling)$/).waitFor();
      await screenEqualsApi(page, service);
      expect(complaints.filter((text) => !LOST_CONNECTION.test(text))).toEqual([]);
    });

    it("asks for a key where the service wants one", { timeout: TEST_MS }, async () => {
      const folder = temporaryFolder();
      const made = await viewmill([
        "keys",
        "create",
        "--scope",
        "read",
        "--name",
        "dashboard",
        "--json",
        "--data",
        folder,
      ]);
      const { key } = JSON.parse(made.stdout) as { key: string };
      const service = await Service.start({ folder });
      const { page } = await openPage(browser, service.url);
      await page.getByLabel(/^This service wants a key/).fill(key);
      await page.getByRole("button", { name: "Use this key" }).click();
      // An event stream with the key: it is no EventSource, which could not send it.
      await page.getByText(/^live$/).waitFor();
    });

    // The pictures of README and docs/dashboard.md: VIEWMILL_PICTURES=write replaces those that are kept.
    it("is shown by the pictures of the documentation", { timeout: 2 * TEST_MS }, async () => {
      const demo = startViewmill(["demo", "--port", "0", "--history", WRITES_PICTURES ? "180" : "30"]);
      const [, url] = await until(
        "the demo listens",
        () => /^viewmill demo on (\S+)/m.exec(demo.ended.stdout) ?? undefined,
      );
      await until("its history is counted", () => demo.ended.stdout.includes("history counted"), TEST_MS);
      const { page, complaints } = await openPage(browser, url!);
      for (const [name, view] of [
        ["dashboard", "#/"],
        ["video", "#/video/the-bug-that-came-on-tuesdays"],
        ["channel", "#/channel/small-physics"],
        ["trending", "#/top?by=growth"],
        ["trust", "#/trust"],
      ]) {
        await showAnew(page, `${url}/${view}`);
        await page.getByText(/^live$/).waitFor();
        if (name === "dashboard") await page.locator(".leaders a").first().waitFor();
        for (const colorScheme of SCHEMES) {
          await colour(page, colorScheme);
          const picture = await page.screenshot();
          expect(picture.byteLength).toBeGreaterThan(20_000);
          if (WRITES_PICTURES) {
            mkdirSync(PICTURES, { recursive: true });
            writeFileSync(join(PICTURES, `${name}-${colorScheme}.png`), picture);
          }
        }
        expect(complaints).toEqual([]);
      }
      demo.child.kill("SIGINT");
      await until("the demo ends", () => demo.ended.code === 0, TEST_MS);
    });

    it("a counter on a page of another origin shows the total and moves", { timeout: TEST_MS }, async () => {
      const pages = createServer((_request, response) => response.setHeader("Content-Type", "text/html").end(html));
      await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
      const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
      const service = await Service.start({ environment: { VIEWMILL_HTTP_CORS_ORIGINS: origin } });
      const html = `<!doctype html><title>A page</title><script src="${service.url}/embed.js"></script>
        <viewmill-count video="cats-42"></viewmill-count><viewmill-count video="cats-42" type="LIKE"></viewmill-count>
        <img src="${service.url}/v1/videos/cats-42/badge.svg" alt="views">`;
      try {
        await service.deliver(json([event({ videoId: "cats-42" }), event({ videoId: "cats-42", eventType: "LIKE" })]));
        const { page, complaints } = await openPage(browser, origin);
        const shown = () => page.locator("viewmill-count").allTextContents();
        await until("both numbers are there", async () => (await shown()).join() === "1,1");
        await service.deliver(json(event({ videoId: "cats-42" })));
        await until("the number moves", async () => (await shown()).join() === "2,1");
        expect(await page.locator("img").evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(
          40,
        );
        expect(await page.evaluate(() => document.cookie)).toBe("");
        const script = await (await fetch(`${service.url}/embed.js`)).bytes();
        expect(gzipSync(script).length).toBeLessThan(MAX_EMBED_BYTES);
        expect(complaints).toEqual([]);
      } finally {
        pages.closeAllConnections();
        pages.close();
      }
    });
  });

  // None of these changes what another one looks at, and each service costs seconds of CPU time.
  describe("over some hours of a few videos", () => {
    let service: Service;
    beforeAll(async () => {
      service = await Service.start();
      await fill(service);
    }, TEST_MS);
    afterAll(cleanUp, TEST_MS);

    it("shows the newest videos of the catalog, and asks for little script", { timeout: TEST_MS }, async () => {
      const { page, complaints } = await openPage(browser, service.url);
      const newest = page.locator("section", { has: page.getByRole("heading", { name: "Newest videos" }) });
      await newest.waitFor();
      expect(await newest.getByRole("link").allTextContents()).toEqual(["ocean/waves", "Cats against the printer"]);
      const scripts = await page.evaluate(() => [...document.scripts].map(({ src }) => src));
      let bytes = 0;
      for (const url of scripts) bytes += gzipSync(await (await fetch(url)).bytes()).length;
      expect(scripts.length).toBeGreaterThan(0);
      expect(bytes).toBeLessThan(MAX_SCRIPT_BYTES);
      expect(complaints).toEqual([]);
    });

    it("has nothing that axe-core finds serious, in light and in dark", { timeout: TEST_MS }, async () => {
      const { page, complaints } = await openPage(browser, service.url);
      for (const view of VIEWS) {
        await showAnew(page, `${service.url}/${view}`);
        await page.getByText(/^live$/).waitFor();
        await page.locator(".panel").first().waitFor();
        for (const colorScheme of SCHEMES) {
          await colour(page, colorScheme);
          expect(await seriousFindings(page), `${view} in ${colorScheme}`).toEqual([]);
        }
        expect(complaints, view).toEqual([]);
      }
    });

    it("shows titles, finds a video by its title, and sends refused events again", { timeout: TEST_MS }, async () => {
      const { page, complaints } = await openPage(browser, `${service.url}/#/trust`);
      await page.getByLabel("Find a video by id or title").fill("cats ag");
      await page.locator('#found option[value="Cats against the printer"]').waitFor({ state: "attached" });
      await page.getByLabel("Find a video by id or title").fill("Cats against the printer");
      await page.locator("[data-waiting=bad-video-id]").waitFor();
      expect(await page.locator("[data-waiting=bad-video-id]").textContent()).toBe("1");
      await page.getByRole("button", { name: "Send again: bad-video-id" }).click();
      await page.getByText(/^0 letters accepted, 1 refused again, the first because bad-video-id/).waitFor();
      await page.getByLabel("Find a video by id or title").press("Enter");
      await page.getByRole("heading", { name: "Cats against the printer", level: 1 }).waitFor();
      expect(complaints).toEqual([]);
    });

    it("asks for days of another time zone as the API answers them", { timeout: TEST_MS }, async () => {
      const asked = "start=2026-01-01T00:00&end=2026-01-08T00:00&granularity=day&tz=Asia/Kolkata";
      const { page } = await openPage(browser, `${service.url}/#/video/cats-42?${asked}`);
      await page.locator('figure tr[data-start="2025-12-31T18:30:00.000Z"]').waitFor({ state: "attached" });
      await page.locator('figure tr[data-start="2026-01-06T18:30:00.000Z"]').waitFor({ state: "attached" });
    });

    it("saves a range as CSV and as a picture, and its link shows the same", { timeout: TEST_MS }, async () => {
      const dayMs = Math.floor(Date.now() / (24 * HOUR_MS)) * 24 * HOUR_MS;
      const asked = { start: minuteText(dayMs - 24 * HOUR_MS), end: minuteText(dayMs + 24 * HOUR_MS) };
      const query = new URLSearchParams({ ...asked, granularity: "hour", tz: "UTC", function: "SUM" });
      const { page, complaints } = await openPage(browser, `${service.url}/#/video/cats-42?${query}`);
      const ranges = page.locator("section", { has: page.getByRole("heading", { name: "Any range" }) });
      await ranges.locator("figure tr[data-start]").first().waitFor({ state: "attached" });
      const saved = async (name: string) => {
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.getByRole("button", { name }).press("Enter"),
        ]);
        return readFileSync(await download.path());
      };
      const range = `start=${asked.start}:00Z&end=${asked.end}:00Z&granularity=hour&function=SUM`;
      const url = `${service.url}/v1/videos/cats-42/stats?eventType=VIEW&${range}`;
      const answered = async () => {
        const { buckets } = (await (await fetch(url)).json()) as { buckets: Saved[] };
        expect(buckets.some(({ value }) => value > 0)).toBe(true);
        return buckets.map(({ start, value, state, revision = 0 }) => `${start},${value},${state},${revision}`);
      };
      const before = await answered();
      const [head, ...lines] = String(await saved("Save CSV"))
        .trimEnd()
        .split("\n");
      // A bucket may become final meanwhile.
      const after = await answered();
      expect(head).toBe("start,sum,state,revision");
      expect(lines).toHaveLength(before.length);
      for (const [n, line] of lines.entries()) expect([before[n], after[n]]).toContain(line);
      const picture = await saved("Save PNG");
      expect(picture.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
      expect(picture.byteLength).toBeGreaterThan(2_000);
      await page.getByLabel("Function").selectOption("AVERAGE");
      await ranges.getByText(/^AVERAGE of VIEW/).waitFor();
      const again = await openPage(browser, page.url());
      await again.page.getByText(/^AVERAGE of VIEW/).waitFor();
      expect([...complaints, ...again.complaints]).toEqual([]);
    });

    it("names a day once below a week of hours", { timeout: TEST_MS }, async () => {
      const { page } = await openPage(browser, `${service.url}/`);
      await page.addInitScript(keepDrawnTexts);
      await page.goto("about:blank");
      const asked = "start=2025-12-30T00:00&end=2026-01-06T00:00&granularity=hour&tz=UTC";
      await page.goto(`${service.url}/#/video/cats-42?${asked}`);
      const labels = () => page.evaluate(() => (globalThis as unknown as { drawnTexts: string[] }).drawnTexts);
      const days = async () => (await labels()).filter((text) => text.startsWith("Jan "));
      await until("the days of the chart", async () => (await days()).length >= 5, TEST_MS);
      const drawn = await labels();
      expect(drawn.filter((text, index) => text.startsWith("Jan ") && text === drawn[index - 1])).toEqual([]);
    });

    it("fits on a phone of 360 px", { timeout: TEST_MS }, async () => {
      const { page } = await openPage(browser, service.url, { viewport: { width: 360, height: 780 } });
      for (const view of VIEWS) {
        await showAnew(page, `${service.url}/${view}`);
        await page.getByText(/^live$/).waitFor();
        await page.locator(".panel").first().waitFor();
        const widest = await page.evaluate(() => document.documentElement.scrollWidth);
        expect(widest, view).toBeLessThanOrEqual(360);
      }
      for (const view of ["docs/api", "docs/configuration", "docs/guarantees"]) {
        await page.goto(`${service.url}/${view}`);
        const tooWide = () =>
          [document.documentElement, ...document.querySelectorAll(".wide")].filter(
            ({ scrollWidth, clientWidth }) => scrollWidth > clientWidth,
          ).length;
        expect(await page.evaluate(tooWide), view).toBe(0);
      }
    });

    it("is used with the keyboard alone", { timeout: TEST_MS }, async () => {
      const { page } = await openPage(browser, service.url);
      await page.getByText("Most viewed in the last hour").waitFor();
      await tabTo(page, "Trust");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Trust", level: 1 }).waitFor();
      await tabTo(page, "Find a video by id or title");
      await page.keyboard.type("cats-42");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Cats against the printer", level: 1 }).waitFor();
      await tabTo(page, "LIKE");
      await page.keyboard.press("Enter");
      await page.getByText(/^LIKE by minute/).waitFor();
      await tabTo(page, "Two Cats");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Two Cats", level: 1 }).waitFor();
      await tabTo(page, "7 days");
      await page.keyboard.press("Enter");
      await page.locator(".top a", { hasText: "ocean/waves" }).waitFor();
      await tabTo(page, "Top");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Top videos", level: 1 }).waitFor();
      await tabTo(page, "growth");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Trending videos", level: 1 }).waitFor();
    });
  });
});

const minuteText = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 16);

const CATALOG = [
  {
    videoId: "cats-42",
    title: "Cats against the printer",
    channelId: "two-cats",
    channelTitle: "Two Cats",
    publishedAt: "2026-11-20T10:00:00Z",
  },
  { videoId: "ocean/waves", channelId: "two-cats", publishedAt: "2026-11-21T10:00:00Z" },
];

/** Some hours of a few videos, repeats and refused events among them. */
async function fill(service: Service): Promise<void> {
  const nowMs = Date.now();
  const events = Array.from({ length: 300 }, (_, n) =>
    event({
      videoId: ["cats-42", "ocean/waves", "clip-7"][n % 3]!,
      eventType: n % 5 === 0 ? "LIKE" : "VIEW",
      eventTime: nowMs - ((n * 7) % 180) * MINUTE_MS,
      value: n,
    }),
  );
  const loaded = await fetch(`${service.url}/v1/catalog/videos`, {
    method: "PUT",
    headers: { "content-type": "application/x-ndjson" },
    body: CATALOG.map((line) => JSON.stringify(line)).join("\n"),
  });
  expect(loaded.status).toBe(200);
  await service.deliver(json([...events, ...events.slice(0, 20), event({ videoId: "not an id" })]));
  await service.counted();
}

interface Video {
  totals: Record<string, { count: number }>;
}
interface Stats {
  buckets: { start: string; value: number }[];
}

/** Loads a view as its address does in a new window. A new window would cost three processes of the browser. */
async function showAnew(page: Page, url: string): Promise<void> {
  await page.goto(url);
  // Addresses of views differ in their fragment alone, which loads nothing.
  await page.reload();
}

/** Shows the page in this colour scheme, as a change of the system's does, and lets it be drawn anew. */
async function colour(page: Page, colorScheme: (typeof SCHEMES)[number]): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

/** The totals and every bar of the 48 hours, read from the table beside the chart. */
async function screenEqualsApi(page: Page, service: Service, subject = "videos/cats-42"): Promise<void> {
  await service.counted();
  await until(
    "the screen equals the API",
    async () => {
      const { totals } = await service.get<Video>(`/v1/${subject}`);
      const { buckets } = await service.get<Stats>(
        `/v1/${subject}/stats?eventType=VIEW&function=COUNT&granularity=hour`,
      );
      const shown = await page.evaluate(() => ({
        totals: [...document.querySelectorAll<HTMLElement>("[data-total]")].map((each) => [
          each.dataset.total,
          each.textContent,
        ]),
        bars: [...document.querySelectorAll<HTMLElement>("figure tr[data-start]")].map((row) => [
          row.dataset.start,
          row.querySelector<HTMLElement>("[data-value]")?.dataset.value,
        ]),
      }));
      const bars = new Map(shown.bars.map(([start, value]) => [start, value]));
      const texts = new Map(shown.totals.map(([type, text]) => [type, text?.replace(/\D/g, "")]));
      for (const type of ["VIEW", "LIKE", "SHARE"])
        if (texts.get(type) !== String(totals[type]?.count ?? 0)) return false;
      return buckets.every(({ start, value }) => bars.get(start) === String(value));
    },
    TEST_MS / 2,
  );
}

/** Presses the tabulator until what has the focus has this name. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const element = document.activeElement;
      return `${element?.getAttribute("aria-label") ?? ""} ${element?.textContent ?? ""}`.trim();
    });
    if (focused.startsWith(name)) return;
  }
  throw new Error(`nothing called ${name} takes the focus`);
}

/** Runs in the page: keeps the texts that are written on canvases, in their order. */
function keepDrawnTexts(): void {
  const kept: string[] = [];
  (globalThis as unknown as { drawnTexts: string[] }).drawnTexts = kept;
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    if (text !== "") kept.push(text);
    fillText.call(this, text, ...place);
  };
}
