// SPDX-License-Identifier: Apache-2.0
/**
 * Whether a service says in the end what was accepted: books that balance, and counts that are exact at each level. The
 * soak and the stress test end with it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { DAY_MS, HOUR_MS } from "../../domain/rules/time";

const ASK_EVERY_MS = 2_000;

/** Accepted events, each once, by `video type`. */
type ExpectedCounts = ReadonlyMap<string, number>;

/** Waits until the books of all minutes since `fromMs` balance and nothing is late, or the deadline. */
export async function booksBalance(url: string, fromMs: number, now: () => number, deadlineMs: number) {
  const started = performance.now();
  const range = `start=${new Date(fromMs - HOUR_MS).toISOString()}&end=${new Date(now() + HOUR_MS).toISOString()}`;
  for (;;) {
    const { totals } = await get<{ totals: { balanced: boolean; late: number } }>(url, `/v1/ledger?${range}`);
    const waitedMs = performance.now() - started;
    const balanced = totals.balanced && totals.late === 0;
    if (balanced || waitedMs > deadlineMs) return { balanced, waitedS: waitedMs / 1000 };
    await delay(ASK_EVERY_MS);
  }
}

/** Totals, and the sums of days and of hours, that are not what was accepted: a line each. */
export async function wrongCells(
  url: string,
  expected: ExpectedCounts,
  fromMs: number,
  now: () => number,
): Promise<string[]> {
  const wrong: string[] = [];
  const start = new Date(Math.floor(fromMs / DAY_MS) * DAY_MS - DAY_MS).toISOString();
  const end = new Date(Math.ceil(now() / DAY_MS) * DAY_MS).toISOString();
  for (const [cell, count] of expected) {
    const [videoId = "", eventType = ""] = cell.split(" ");
    const { totals } = await get<{ totals: Record<string, { count: number }> }>(url, `/v1/videos/${videoId}`);
    const sums: Record<string, number> = { total: totals[eventType]?.count ?? 0 };
    for (const granularity of ["hour", "day"]) {
      const asked = new URLSearchParams({ eventType, start, end, granularity });
      sums[granularity] = (await get<{ count: number }>(url, `/v1/videos/${videoId}/counts?${asked}`)).count;
    }
    for (const [level, found] of Object.entries(sums))
      if (found !== count) wrong.push(`${cell}: ${level} ${found}, and ${count} were accepted`);
  }
  return wrong;
}

async function get<T>(url: string, path: string): Promise<T> {
  const response = await fetch(`${url}${path}`);
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}
