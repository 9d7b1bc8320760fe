// SPDX-License-Identifier: Apache-2.0
/** The verdict of the write API travels with the event: no reader's clock judges it again, wherever the clocks jump. */
import fc from "fast-check";
import { StampBook } from "../../ingest-api/stamp-book";
import { CONTRACT_LIMITS } from "../../intake/limits";
import { ingestProducer } from "../../intake/receipt";
import { takeBody } from "../../intake/take-body";
import { takeMessage } from "../../intake/take-message";
import { encodeBatch, withReceivedAt } from "../../io/formats/avro/batch";
import { T0 } from "../domain/model";

const RETENTION_MS = 86_400_000;
const YEAR_MS = 366 * 86_400_000;

/** Steps of a clock: it runs, or it is set, a little or by years, either way. */
const jumps = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 60_000 }),
    fc.integer({ min: -3_600_000, max: 3_600_000 }),
    fc.integer({ min: -YEAR_MS, max: YEAR_MS }),
  ),
  { minLength: 1, maxLength: 12 },
);
const sent = fc.record({
  id: fc.constantFrom("a", "b", "c"),
  /** Undefined: the event has no time and is stamped. Otherwise relative to the clock of then. */
  timeFromNowMs: fc.option(fc.integer({ min: -2 * RETENTION_MS, max: 600_000 }), { nil: undefined }),
  asBatch: fc.boolean(),
});

test("what the write API accepted is accepted by every reader, whatever its clock and the log's say", () => {
  fc.assert(
    fc.property(jumps, fc.array(sent, { minLength: 1, maxLength: 12 }), jumps, (ingestJumps, events, logJumps) => {
      const book = new StampBook(1_000);
      let nowMs = T0;
      let appendedAtMs = T0;
      events.forEach(({ id, timeFromNowMs, asBatch }, turn) => {
        nowMs = Math.max(1, nowMs + ingestJumps[turn % ingestJumps.length]!);
        appendedAtMs = Math.max(1, appendedAtMs + logJumps[turn % logJumps.length]!);
        const event = {
          eventId: id,
          videoId: "v",
          eventType: "VIEW",
          ...(timeFromNowMs === undefined ? {} : { eventTime: Math.max(0, nowMs + timeFromNowMs) }),
        };
        const taken = takeBody(
          Buffer.from(JSON.stringify(event)),
          { format: "json", encoding: "identity" },
          {
            receivedAtMs: nowMs,
            rawRetentionMs: RETENTION_MS,
            limits: CONTRACT_LIMITS,
            untimed: { kind: "stamp", stampOf: (key, atMs) => book.stampOf(key, atMs) },
          },
        );
        if (taken.kind !== "events" || taken.columns.count === 0) return;
        const header = { receivedAtMs: nowMs, producerId: ingestProducer(), batchId: "" };
        const client = encodeBatch(taken.columns, { ...header, receivedAtMs: 0, producerId: "player" });
        const payload = asBatch ? withReceivedAt(client, nowMs, ingestProducer) : encodeBatch(taken.columns, header);
        for (const readAtMs of [appendedAtMs, undefined]) {
          const read = takeMessage(payload, readAtMs, { rawRetentionMs: RETENTION_MS, admitsType: () => false });
          expect(read).toMatchObject({ kind: "events", receivedAtMs: nowMs, rejected: [] });
          if (read.kind === "events") expect([...read.columns.timesMs]).toEqual([...taken.columns.timesMs]);
        }
      });
    }),
    { numRuns: 300 },
  );
});

test("a retry after the clock stepped back keeps its stamp and its verdict", () => {
  const book = new StampBook(10);
  const body = Buffer.from('{"eventId":"a","videoId":"v","eventType":"VIEW"}');
  const at = (receivedAtMs: number) => {
    const taken = takeBody(
      body,
      { format: "json", encoding: "identity" },
      {
        receivedAtMs,
        rawRetentionMs: RETENTION_MS,
        limits: CONTRACT_LIMITS,
        untimed: { kind: "stamp", stampOf: (key, nowMs) => book.stampOf(key, nowMs) },
      },
    );
    if (taken.kind !== "events") throw new Error(taken.kind);
    const payload = encodeBatch(taken.columns, { receivedAtMs, producerId: ingestProducer(), batchId: "" });
    return takeMessage(payload, receivedAtMs, { rawRetentionMs: RETENTION_MS });
  };
  const first = at(T0);
  const retry = at(T0 - 3_600_000);
  for (const taken of [first, retry]) {
    expect(taken).toMatchObject({ kind: "events", rejected: [], columns: { count: 1 } });
    if (taken.kind === "events") expect(taken.columns.timesMs[0]).toBe(T0);
  }
});
