// SPDX-License-Identifier: Apache-2.0
import { HOUR_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { Ledger } from "../../io/ports";
import { type BoundedDependencies, type BoundedOptions, runBoundedStream } from "../bounded/bounded-stream";

const ATTEMPTS = 10;

/**
 * Counts the hours of `minutes` from the archive with the streaming graph, which writes their ledger as well. An hour
 * that a running stream changes meanwhile is counted again; the audit finds any remaining difference. A backfill calls
 * it once its files are archived.
 */
export async function countHours(
  deps: BoundedDependencies,
  minutes: ReadonlySet<number>,
  counting: BoundedOptions["counting"],
  onHour: (done: number, of: number) => void,
): Promise<void> {
  const hours = [...new Set([...minutes].map((minute) => Math.floor(minute / MINUTES_AN_HOUR)))].sort((a, b) => a - b);
  for (const [index, hour] of hours.entries()) {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const before = await sequences(deps.ledger, hour);
      await runBoundedStream(deps, { fromMs: hour * HOUR_MS, toMs: (hour + 1) * HOUR_MS, counting });
      if ((await sequences(deps.ledger, hour)) === before) break;
    }
    onHour(index + 1, hours.length);
  }
}

async function sequences(ledger: Ledger, hour: number): Promise<string> {
  const changed = await ledger.changeSequences(hour * MINUTES_AN_HOUR, (hour + 1) * MINUTES_AN_HOUR);
  return [...changed].map(([minute, sequence]) => `${minute}:${sequence}`).join(" ");
}
