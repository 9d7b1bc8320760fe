// SPDX-License-Identifier: Apache-2.0
/** The judgement of a step of the stress test. */
import type { Step } from "./rising-load";

/** The bounds beyond which a service counts as giving way. */
const MAX_P99_MS = 1_000;
const MAX_COUNTING_LAG_S = 30;
/** The generator shares the machine with the service: a generator that is this late measures itself. */
const MAX_GENERATOR_LAG_MS = 500;

/** Returns the first part of the service that gave way in a step; undefined where none did. */
export function whatGave({ refused, p99Ms, generatorLagMs }: Step, countingLagS: number): string | undefined {
  const said = (status: number) => refused[status] ?? 0;
  if (said(0) > 0) return `connections: ${said(0)} requests had no answer`;
  if (said(429) > 0) return `admission: ${said(429)} requests were answered 429, with Retry-After`;
  if (said(503) > 0) return `the store or its bound: ${said(503)} requests were answered 503, with Retry-After`;
  const others = Object.entries(refused).filter(([status]) => !["0", "429", "503"].includes(status));
  if (others.length > 0) return `an answer that nobody expects: ${JSON.stringify(Object.fromEntries(others))}`;
  if (generatorLagMs > MAX_GENERATOR_LAG_MS)
    return `the generator: it was ${generatorLagMs.toFixed(0)} ms late by itself`;
  if (p99Ms > MAX_P99_MS) return `ingest: 99 % of the answers took up to ${p99Ms.toFixed(0)} ms`;
  if (countingLagS > MAX_COUNTING_LAG_S) return `counting: completeThrough is ${countingLagS.toFixed(0)} s behind`;
  return undefined;
}

/** Whether a step at the first rate is as it should be again. */
export const hasRecovered = ({ refused, p99Ms }: Step, countingLagS: number): boolean =>
  Object.keys(refused).length === 0 && p99Ms <= MAX_P99_MS / 2 && countingLagS <= MAX_COUNTING_LAG_S / 3;
