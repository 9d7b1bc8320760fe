// SPDX-License-Identifier: Apache-2.0
/**
 * The archiver of a cluster, which `viewmill archive` runs. On one machine the embedded stream archives
 * (pipelines/embedded/archive-entries.ts).
 */
import type { KnownEventTypes } from "../../intake/known-types";
import type { MessageRules } from "../../intake/take-message";
import { type Archive, type Ledger, type LogPortion, type LogSubscription, PortionLostError } from "../../io/ports";
import { pause } from "../pause";
import { type ArchivedPortion, archivePortion, type PayloadOf } from "./archive-portion";

export interface ArchiverDependencies {
  subscription: LogSubscription;
  archive: Archive;
  ledger: Ledger;
  payloadOf: PayloadOf;
  rules?: MessageRules;
  eventTypes?: KnownEventTypes;
  /** Returns epoch milliseconds. */
  clock: () => number;
  /**
   * The reader that this archiver reports for: the whole group where the log knows the group's position, the archiver
   * itself otherwise.
   */
  reader: { name: string; leaseMs: number };
  /** Advances the low watermark, after the mark. */
  watermark?: { advance(): Promise<number> };
}

export interface ArchiverOptions {
  /**
   * A portion closes at this many messages or bytes, or this long after its first message, whichever is reached first.
   */
  maxPortionMessages: number;
  maxPortionBytes: number;
  maxPortionAgeMs: number;
  /** The number of portions that are decoded and uploaded at once. Together with maxPortionBytes it bounds memory. */
  portionsInFlight: number;
  /** How often the archiver writes down the time up to which every message is archived. */
  progressIntervalMs: number;
}

/**
 * Writes portion after portion of the log into the archive, by minute of event time, until `signal` aborts. A portion
 * is acknowledged after its objects are written and listed. A crash anywhere repeats a portion; where the log has
 * positions, the repetition writes the same objects. Rejects with the first failure; the next process takes the
 * unacknowledged messages again.
 */
export async function runArchiver(
  deps: ArchiverDependencies,
  options: ArchiverOptions,
  signal: AbortSignal,
  onPortion: (portion: ArchivedPortion) => void,
): Promise<void> {
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  let failure: unknown;
  const fail = (error: unknown) => {
    failure ??= error;
    failed.abort();
  };
  const lanes = Array.from({ length: options.portionsInFlight }, () =>
    lane(deps, options, stop, onPortion).catch(fail),
  );
  const progress = reportProgress(deps, options.progressIntervalMs, stop).catch(fail);
  await Promise.all([...lanes, progress]);
  if (failure !== undefined) throw failure;
}

async function lane(
  deps: ArchiverDependencies,
  { maxPortionMessages, maxPortionBytes, maxPortionAgeMs }: ArchiverOptions,
  stop: AbortSignal,
  onPortion: (portion: ArchivedPortion) => void,
): Promise<void> {
  const limits = { maxMessages: maxPortionMessages, maxBytes: maxPortionBytes, waitMs: maxPortionAgeMs };
  while (!stop.aborted) {
    const portion = await deps.subscription.take(limits);
    if (portion === undefined) continue;
    const result = await archived(portion, deps);
    if (result !== undefined) onPortion(result);
  }
}

/**
 * Resolves with undefined where the portion went to another archiver meanwhile, which writes the same objects again.
 */
async function archived(portion: LogPortion, deps: ArchiverDependencies): Promise<ArchivedPortion | undefined> {
  try {
    const result = await archivePortion(portion, deps);
    await portion.done();
    return result;
  } catch (error) {
    if (error instanceof PortionLostError) return undefined;
    await portion.abandon().catch(() => undefined);
    throw error;
  }
}

async function reportProgress(
  { subscription, ledger, clock, reader, watermark }: ArchiverDependencies,
  intervalMs: number,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    // The time is read before the question: a message appended meanwhile must not be promised. Appends carry the log's
    // time, so a clock ahead of the log promises no more.
    const askedAtMs = Math.min(clock(), subscription.logTimeMs() ?? Number.POSITIVE_INFINITY);
    const waiting = await subscription.oldestWaitingMs();
    await ledger.setArchivedThrough(reader.name, Math.min(waiting ?? askedAtMs, askedAtMs), clock() + reader.leaseMs);
    await watermark?.advance();
    await pause(intervalMs, stop);
  }
}
