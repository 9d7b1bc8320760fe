// SPDX-License-Identifier: Apache-2.0
/** Pages in a real browser, for suites that look at them. */
import { readFileSync } from "node:fs";
import type { Result } from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { deadline } from "../deadline";

/** Playwright's own default, for a machine without other work. */
const WAIT_MS = 30_000;

interface WatchedPage {
  page: Page;
  /** Messages of the console and errors that no handler caught. */
  complaints: string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  page.setDefaultTimeout(deadline(WAIT_MS));
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.addInitScript(measureLayoutShift);
  await page.goto(url);
  return { page, complaints };
}

/**
 * Runs in the page: adds up the layout shift scores that no input of the user caused (web.dev, "Cumulative Layout
 * Shift").
 */
function measureLayoutShift(): void {
  const sums = globalThis as unknown as { layoutShift: number };
  sums.layoutShift = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[])
      if (!entry.hadRecentInput) sums.layoutShift += entry.value;
  });
  observer.observe({ type: "layout-shift", buffered: true });
}

export const layoutShift = (page: Page): Promise<number> =>
  page.evaluate(() => (globalThis as unknown as { layoutShift: number }).layoutShift);

const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** The findings of axe-core that are serious or critical, one line each. */
export async function seriousFindings(page: Page): Promise<string[]> {
  // Through the debugger, which the page's policy does not bind.
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Result[] }> } };
    return (await axe.run()).violations;
  });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
}
