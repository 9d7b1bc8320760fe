// SPDX-License-Identifier: Apache-2.0
/** The answer of GET /v1/audits as a schema, for get-audits.ts and the OpenAPI document. */
import { z } from "zod";
import { count, instant, named } from "./schemas";

const atMinute = { minute: instant("Minute of event time"), events: count };
const foundLoss = z.object({ ...atMinute, objects: z.array(z.string()).meta({ description: "Listed, and absent" }) });
const writtenOff = z.object({ ...atMinute, reason: z.string(), at: instant("When"), auditId: z.string() });
export const auditsSchema = named(
  "Audits",
  z.object({
    audits: z.array(
      z.object({
        id: z.string(),
        startedAt: instant("When the audit began"),
        durationMs: z.number(),
        from: instant("Inclusive"),
        to: instant("Exclusive"),
        repair: z.boolean(),
        runner: z.string(),
        outcome: z.enum(["equal", "repaired", "differences", "not-comparable"]),
        comparedNothing: z
          .literal(true)
          .optional()
          .meta({ description: "The audit found neither events nor cells: its `equal` says nothing" }),
        objectsRead: count,
        events: count,
        distinctEvents: count,
        cellsCompared: count,
        cellsDiffering: count,
        cellsRepaired: count,
        reusedEventIds: count.meta({ description: "Events whose id another event of the range has, too" }),
        reusedIds: z
          .array(
            z.object({
              eventId: z.string(),
              times: count.meta({ description: "Events of the range that have it" }),
              places: z.array(
                z.object({ minute: instant("Minute of event time"), videoId: z.string(), eventType: z.string() }),
              ),
            }),
          )
          .optional(),
        lateEvents: count.meta({ description: "Events that the stream sets aside as late and the audit counts" }),
        totals: z.boolean().optional().meta({ description: "A check of every total against its days, of no range" }),
        losses: z
          .array(foundLoss)
          .optional()
          .meta({ description: "Missing for good, until an operator writes them off" }),
        writtenOff: z.array(writtenOff).optional().meta({ description: "Losses of the range that were written off" }),
        notComparable: z.array(z.object({ minute: instant("Minute of event time"), reason: z.string() })),
        differences: z.array(
          z.object({
            level: z.enum(["minute", "hour", "day", "total"]),
            videoId: z.string(),
            eventType: z.string(),
            start: instant("Of the cell"),
            archiveCount: z.int(),
            storedCount: z.int(),
            archiveSum: z.string().meta({ description: "Decimal" }),
            archiveValued: count.optional().meta({ description: "Events that have a value" }),
            storedValued: count.optional(),
            storedSum: z.string().meta({ description: "Decimal" }),
          }),
        ),
      }),
    ),
  }),
);
