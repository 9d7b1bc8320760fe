// SPDX-License-Identifier: Apache-2.0
/** Questions and answers of /v1/dead-letters as schemas, for dead-letters.ts and the OpenAPI document. */
import { z } from "zod";
import { REJECTION_REASONS } from "../domain/rejection";
import { named } from "./schemas";

const count = z.int().min(0);

export const replayAsked = named(
  "Replay",
  z.strictObject({
    reason: z.enum(REJECTION_REASONS),
    cursor: z.string().max(200).optional().meta({ description: "Of the answer before: the letters behind those" }),
  }),
);

export const lettersSchema = named(
  "DeadLetters",
  z.object({
    reasons: z.array(
      z.object({
        reason: z.enum(REJECTION_REASONS),
        waiting: count.meta({ description: "Letters that were not replayed, up to 1,000" }),
        more: z.boolean().meta({ description: "There are more than `waiting`" }),
        sample: z.object({
          id: z.string(),
          receivedAt: z.iso.datetime().meta({ description: "Receipt" }),
          detail: z.string(),
          eventId: z.string().optional(),
          payload: z.string().meta({ description: "Its first 500 characters; base64 where it is no UTF-8" }),
        }),
      }),
    ),
  }),
);
export const replayedSchema = named(
  "Replayed",
  z.object({
    accepted: count,
    refused: count.meta({ description: "Refused again; they stay dead letters" }),
    examples: z.array(z.object({ id: z.string(), detail: z.string() })).meta({ description: "The first 20" }),
    cursor: z.string().optional().meta({ description: "Asks for the next letters; left out where none is left" }),
  }),
);
