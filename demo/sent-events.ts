// SPDX-License-Identifier: Apache-2.0
/** The events of the cluster demonstrations: generated, sent at a pace, and counted independently. */
import { once } from "node:events";
import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { EventGenerator } from "../cli/sending/event-generator";
import { MINUTE_MS } from "../domain/rules/time";

interface SendOptions {
  url: string;
  events: number;
  perSecond: number;
  seed: number;
  videos: number;
  /** Zipf exponent. */
  skew: number;
  duplicates: number;
  late: number;
  lateByMs: number;
  /** Ends the sending before all events are sent. */
  signal?: AbortSignal;
  /** Pauses the sending, and changes the events' times. */
  pace?: SendingPace;
  /** The file of every accepted line, from which an independent computation counts. */
  file: string;
}

interface Sent {
  accepted: number;
  refusals: number;
}

/** The pace of the sending, and how far the events' times are ahead of the machine's clock. */
export class SendingPace {
  /** Grows with every change of the events' times. */
  changes = 0;
  aheadMs = 0;
  /** Replaces the `lateByMs` of the options. */
  lateByMs: number | undefined;
  pausedMs = 0;
  private underWay = new Set<Promise<void>>();
  private paused: { promise: Promise<void>; end: () => void } | undefined;

  /** Sets the times of the events that are generated from now on. */
  setTimes(times: { aheadMs: number; lateByMs?: number }): void {
    this.aheadMs = times.aheadMs;
    this.lateByMs = times.lateByMs;
    this.changes++;
  }

  /** Runs one request, as soon as the sending is not paused. */
  async request(work: () => Promise<void>): Promise<void> {
    while (this.paused !== undefined) await this.paused.promise;
    const request = work();
    this.underWay.add(request);
    try {
      await request;
    } finally {
      this.underWay.delete(request);
    }
  }

  /** Runs `work` while nothing is being sent; requests begun before are answered first. */
  async pausedFor(work: () => Promise<void>): Promise<void> {
    const startedAt = performance.now();
    let end: () => void = () => undefined;
    const promise = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.paused = { promise, end };
    try {
      await Promise.allSettled(this.underWay);
      await work();
    } finally {
      this.paused = undefined;
      this.pausedMs += performance.now() - startedAt;
      end();
    }
  }
}

const MAX_LINES_A_REQUEST = 2_000;
const SENDERS = 8;
const MAX_ATTEMPTS = 100;
const RETRY_MS = 250;

/**
 * Sends generated events at a pace, so that their times are the present. A request whose outcome is unknown is repeated
 * with the same event ids, as the client library does.
 */
export async function sendEvents(
  options: SendOptions,
  onProgress: (accepted: number, refusals: number) => void,
): Promise<Sent> {
  const { events, perSecond, seed, videos, skew, duplicates, late, lateByMs, file } = options;
  const startMs = Date.now();
  const { pace = new SendingPace() } = options;
  let made = 0;
  // Events of another time need another generator, which repeats none of the earlier events.
  const generatorOf = ({ aheadMs, changes }: SendingPace) =>
    new EventGenerator({
      ...{ seed: seed + changes, videos, skew, duplicates, late, bad: 0, perSecond },
      lateByMs: pace.lateByMs ?? lateByMs,
      startMs: startMs + pace.pausedMs + (made * 1000) / perSecond + aheadMs,
    });
  let { changes } = pace;
  let generator = generatorOf(pace);
  const output = createWriteStream(file);
  const sent: Sent = { accepted: 0, refusals: 0 };
  // Each sender holds one request until it is due: all of them together less than a second of the pace.
  const linesARequest = Math.max(1, Math.min(MAX_LINES_A_REQUEST, Math.floor(perSecond / SENDERS)));
  const ended = () => options.signal?.aborted === true;
  const sender = async () => {
    while (made < events && !ended()) {
      await pace.request(async () => {
        if (pace.changes !== changes) {
          changes = pace.changes;
          generator = generatorOf(pace);
        }
        const count = Math.min(linesARequest, events - made);
        made += count;
        const lines = generator.next(count);
        await untilMs(startMs + pace.pausedMs + (made * 1000) / perSecond);
        if (ended()) return;
        // Not in one statement: the sum is read before the await, and the other senders add to it meanwhile.
        const accepted = await deliver(options.url, lines, sent);
        sent.accepted += accepted;
        await write(output, lines);
        onProgress(sent.accepted, sent.refusals);
      });
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  output.end();
  await once(output, "finish");
  return sent;
}

async function deliver(url: string, lines: Buffer, sent: Sent): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const answer = await fetch(`${url}/v1/events`, {
      method: "POST",
      headers: { "Content-Type": "application/x-ndjson" },
      body: new Uint8Array(lines),
      signal: AbortSignal.timeout(30_000),
    }).catch(() => undefined);
    if (answer?.status === 202) return ((await answer.json()) as { accepted: number }).accepted;
    sent.refusals++;
    if (attempt === MAX_ATTEMPTS)
      throw new Error(`not accepted after ${attempt} attempts: ${answer === undefined ? "no answer" : answer.status}`);
    await untilMs(Date.now() + RETRY_MS);
  }
}

async function write(output: WriteStream, lines: Buffer): Promise<void> {
  if (!output.write(lines)) await once(output, "drain");
}

const untilMs = (timeMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, timeMs - Date.now()));
  });

interface SentEvent {
  eventId: string;
  videoId: string;
  eventType: string;
  eventTime: number;
  value?: number;
}

/**
 * Returns the counted values by `minute video type`, computed from the lines with string keys and none of Viewmill's
 * code.
 */
export async function independentCounts(...files: string[]): Promise<Map<string, { count: number; sum: number }>> {
  const values = new Map<string, Map<string, number>>();
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const { eventId, videoId, eventType, eventTime, value = 0 } = JSON.parse(line) as SentEvent;
      const cell = `${Math.floor(eventTime / MINUTE_MS)} ${videoId} ${eventType}`;
      const ids = values.get(cell) ?? new Map<string, number>();
      ids.set(eventId, Math.max(value, ids.get(eventId) ?? Number.NEGATIVE_INFINITY));
      values.set(cell, ids);
    }
  }
  const counts = new Map<string, { count: number; sum: number }>();
  for (const [cell, ids] of values)
    counts.set(cell, { count: ids.size, sum: [...ids.values()].reduce((sum, value) => sum + value, 0) });
  return counts;
}
