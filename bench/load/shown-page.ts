// SPDX-License-Identifier: Apache-2.0
import type { Page } from "playwright-core";
import { startBrowser } from "../../servers/browser";
import { defineTask } from "../task";
import { type LatencySummary, summaryOf } from "./latencies";

interface FramesOfPage {
  firstPaintMs: number;
  /** The pauses between two frames. */
  frames: LatencySummary;
  /** How many numbers of accepted events a second the page showed, one after the other. */
  numbersShown: number;
  complaints: string[];
}

/** Opens the dashboard in Debian's Chromium, and records its frames until stopped. */
export const shownPage = defineTask(__filename, "shown-page", async ({ url }: { url: string }, context) => {
  const browser = await startBrowser();
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(url);
  await page.getByText(/^live$/).waitFor();
  const firstPaintMs = await page.evaluate(firstPaint);
  await page.evaluate(recordFrames);
  context.ready(url);
  await context.stopped;
  const { pausesMs, numbers } = await recorded(page);
  await browser.close();
  return { firstPaintMs, frames: summaryOf(pausesMs), numbersShown: numbers, complaints } satisfies FramesOfPage;
});

/** Runs in the page. */
const firstPaint = (): number => performance.getEntriesByName("first-contentful-paint")[0]!.startTime;

interface Recording {
  pausesMs: number[];
  numbers: number;
}

/** Runs in the page: notes each frame, and each change of the first number of the page. */
function recordFrames(): void {
  const recording: Recording = { pausesMs: [], numbers: 0 };
  Object.assign(globalThis, { recording });
  let lastMs = performance.now();
  const onFrame = (nowMs: number) => {
    recording.pausesMs.push(nowMs - lastMs);
    lastMs = nowMs;
    requestAnimationFrame(onFrame);
  };
  requestAnimationFrame(onFrame);
  const observer = new MutationObserver(() => recording.numbers++);
  observer.observe(document.querySelector("main")!, { subtree: true, characterData: true, childList: true });
}

const recorded = (page: Page): Promise<Recording> =>
  page.evaluate(() => (globalThis as unknown as { recording: Recording }).recording);
