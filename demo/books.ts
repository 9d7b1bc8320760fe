// SPDX-License-Identifier: Apache-2.0
/** The sums of a service's ledger, on which the demonstrations wait and by which they judge. */

export interface Books {
  accepted: number;
  archived: number;
  counted: number;
  duplicate: number;
  late: number;
  balanced: boolean;
}

interface MinuteBooks extends Books {
  /** RFC 3339. */
  start: string;
}

/** The ledger of a service, from an hour before `fromMs` to ten minutes after `nowMs`. */
export async function readLedger(
  url: string,
  fromMs: number,
  nowMs = Date.now(),
): Promise<{ totals: Books; minutes: MinuteBooks[] }> {
  const start = new Date(fromMs - 3_600_000).toISOString();
  const end = new Date(nowMs + 600_000).toISOString();
  const answer = await fetch(`${url}/v1/ledger?start=${start}&end=${end}`, { signal: AbortSignal.timeout(20_000) });
  if (!answer.ok) throw new Error(`the ledger answers ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as { totals: Books; minutes: MinuteBooks[] };
}

/** Returns the sums of the ledger. */
export async function readBooks(url: string, fromMs: number, nowMs = Date.now()): Promise<Books> {
  return (await readLedger(url, fromMs, nowMs)).totals;
}

/** Waits until the books balance over `accepted` events, with a question a second. */
export async function untilBalanced(
  url: string,
  fromMs: number,
  accepted: number,
  deadlineMs: number,
  onBooks: (books: Books) => void = () => undefined,
  now: () => number = Date.now,
): Promise<Books> {
  const endsAt = performance.now() + deadlineMs;
  let last: Books | undefined;
  while (performance.now() < endsAt) {
    last = await readBooks(url, fromMs, now()).catch(() => last);
    if (last !== undefined) onBooks(last);
    if (last?.balanced === true && last.accepted >= accepted) return last;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  throw new Error(`the books do not balance after ${deadlineMs} ms: ${JSON.stringify(last)}`);
}
