// SPDX-License-Identifier: Apache-2.0
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
  /** Epoch milliseconds. */
  clock: () => number;
  /**
   * Whom this archiver speaks for: the whole group where the log tells how far it is, itself where the log does not.
   */
  reader: { name: string; leaseMs: number };
  /** Moves the low watermark on, after the mark. */
  watermark?: { advance(): Promise<number> };
}

export interface ArchiverOptions {
  /**
   * A portion is closed at this many messages or bytes, or this long after its first message, whichever comes first.
   */
  maxPortionMessages: number;
  maxPortionBytes: number;
  maxPortionAgeMs: number;
  /** Portions that are decoded and uploaded at once: with maxPortionBytes the bound of memory. */
  portionsInFlight: number;
  /** How often the time up to which all is archived is written down. */
  progressIntervalMs: number;
}

/**
 * The archiver: portion after portion of the log into the archive, by minute of event time, until `signal` aborts. A
 * portion is acknowledged after its objects are written and listed; a crash anywhere repeats a portion, which where the
 * log has positions writes the same objects. Rejects with the first failure; what was not acknowledged is taken again
 * by the next process.
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

/** Undefined where the portion went to another archiver meanwhile, which does it again: the same objects. */
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
    // Before the question: what is appended meanwhile may not be promised. Appends bear the log's time: a clock that is
    // ahead of it promises nothing more.
    const askedAtMs = Math.min(clock(), subscription.logTimeMs() ?? Number.POSITIVE_INFINITY);
    const waiting = await subscription.oldestWaitingMs();
    await ledger.setArchivedThrough(reader.name, Math.min(waiting ?? askedAtMs, askedAtMs), clock() + reader.leaseMs);
    await watermark?.advance();
    await pause(intervalMs, stop);
  }
}
