// SPDX-License-Identifier: Apache-2.0
/** Questions and answers of /v1/webhooks as schemas, for webhooks.ts and the OpenAPI document. */
import { z } from "zod";
import { DELIVERY_STATES } from "../io/ports/alert-store";
import { count, instant, named } from "./schemas";

const MAX_LISTED = 200;
const name = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/);
const messageId = z.string().regex(/^[A-Za-z0-9_]{1,64}$/);

export const deliveriesAsked = z.strictObject({
  state: z.enum(DELIVERY_STATES).optional(),
  webhook: name.optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LISTED).default(50),
  cursor: z
    .string()
    .regex(/^[1-9][0-9]{0,14}$/)
    .optional()
    .meta({ description: "Of the answer before" }),
});

export const webhookReplayAsked = named(
  "WebhookReplay",
  z
    .strictObject({
      messageId: messageId.optional().meta({ description: "The message of this id" }),
      webhook: name.optional().meta({ description: "Messages for this webhook" }),
      state: z.enum(DELIVERY_STATES).optional().meta({ description: "Messages in this state" }),
    })
    .refine((asked) => Object.values(asked).some((value) => value !== undefined), "say which messages")
    .meta({ minProperties: 1 }),
);

export const deliveriesSchema = named(
  "Deliveries",
  z.object({
    deliveries: z.array(
      z.object({
        messageId: z.string().meta({ description: "As the receiver sees it in webhook-id" }),
        webhook: z.string(),
        rule: z.string(),
        state: z.enum(DELIVERY_STATES),
        createdAt: instant("When the alert fired"),
        attempts: count,
        nextAttemptAt: instant("Of a message that waits").optional(),
        endedAt: instant("When it was delivered or died").optional(),
        lastOutcome: z.string().optional().meta({ description: "What the last attempt said" }),
        payload: z.string().meta({ description: "JSON, as it is sent" }),
      }),
    ),
    cursor: z.string().optional().meta({ description: "There are more: of the next answer" }),
  }),
);
export const alertsSchema = named(
  "Alerts",
  z.object({
    rules: z.array(
      z.object({
        name: z.string(),
        kind: z.string(),
        state: z.enum(["quiet", "pending", "firing"]).meta({
          description: "pending: the condition holds, and not for as long as the rule asks yet",
        }),
        since: instant("Since when the condition holds").optional(),
      }),
    ),
  }),
);
export const webhooksReplayedSchema = named(
  "WebhooksReplayed",
  z.object({ replayed: count.meta({ description: "Messages that wait again" }) }),
);
