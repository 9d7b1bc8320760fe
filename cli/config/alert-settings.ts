// SPDX-License-Identifier: Apache-2.0
/**
 * The settings of alerts and webhooks, a part of the one schema. The service's alerts (cli/programs/alerts) are made of
 * them.
 */
import { z } from "zod";
import { isChannelId } from "../../domain/catalog/catalog-line";
import { isEventType, isVideoId } from "../../domain/event";
import { REJECTION_REASONS } from "../../domain/rejection";
import { MINUTES_A_DAY, SECONDS_AN_HOUR } from "../../domain/rules/time";
import { isNetwork } from "../../io/webhooks/addresses";

const MAX_RULES = 1_000;
const MAX_WEBHOOKS = 100;
const MAX_LISTED_LETTERS = 1_000;

const name = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, "is 1 to 64 of A-Z a-z 0-9 . _ -");
const videoId = z.string().refine(isVideoId, "is no videoId");
const channelId = z.string().refine(isChannelId, "is no channelId");
const eventType = z.string().refine(isEventType, "is no eventType").default("VIEW");
const whole = (least: number, most: number) => z.number().int().min(least).max(most);

const ruleSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    name,
    kind: z.literal("video-passes"),
    videoId,
    eventType,
    count: whole(1, Number.MAX_SAFE_INTEGER),
  }),
  z.strictObject({
    ...{ name, kind: z.literal("channel-passes"), channelId, eventType },
    count: whole(1, Number.MAX_SAFE_INTEGER),
  }),
  z
    .strictObject({
      ...{ name, kind: z.literal("rate"), videoId: videoId.optional(), channelId: channelId.optional() },
      eventType: z.string().refine(isEventType, "is no eventType").optional(),
      minutes: whole(1, MINUTES_A_DAY).default(60),
      above: z.number().gt(1).optional(),
      below: z.number().min(0).lt(1).optional(),
      least: whole(1, Number.MAX_SAFE_INTEGER).default(100),
    })
    .refine(({ above, below }) => above !== undefined || below !== undefined, "above or below is wanted")
    .refine((rule) => rule.videoId === undefined || rule.channelId === undefined, "a video or a channel, not both")
    .refine(
      (rule) => rule.eventType === undefined || rule.videoId !== undefined || rule.channelId !== undefined,
      "without a video or a channel the rate is that of all events",
    ),
  z.strictObject({ name, kind: z.literal("canary"), minutes: whole(0, 7 * MINUTES_A_DAY).default(0) }),
  z.strictObject({ name, kind: z.literal("audit-differs") }),
  z.strictObject({ name, kind: z.literal("unbalanced"), minutes: whole(1, MINUTES_A_DAY).default(15) }),
  z.strictObject({
    ...{ name, kind: z.literal("dead-letters"), reason: z.enum(REJECTION_REASONS) },
    waiting: whole(1, MAX_LISTED_LETTERS).default(1),
  }),
]);

const webhookSchema = z.strictObject({
  name,
  url: z
    .string()
    .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), "is an http or https address"),
  secretFile: z.string().min(1),
  rules: z.array(name).default([]),
  timeoutSeconds: whole(1, 120).default(10),
  maxConcurrent: whole(1, 100).default(4),
});

export const alertsSchema = z
  .strictObject({
    enabled: z
      .boolean()
      .default(true)
      .describe("this instance looks at the rules and delivers; of several with one configuration one should"),
    everySeconds: whole(1, SECONDS_AN_HOUR).default(10).describe("how often the rules are looked at"),
    rules: z.array(ruleSchema).max(MAX_RULES).default([]).describe("when an alert fires: docs/alerts.md"),
    webhooks: z.array(webhookSchema).max(MAX_WEBHOOKS).default([]).describe("who is told: docs/alerts.md"),
    privateNetworks: z
      .array(z.string().refine(isNetwork, "is a network such as 10.0.0.0/8"))
      .default([])
      .describe("which webhooks may reach beside public addresses, and by http as well"),
    deadAfterHours: whole(1, 8_760).default(72).describe("a message that no attempt could deliver for so long is dead"),
    keptDays: whole(1, 3_650).default(30).describe("delivered and dead messages stay listed for so long"),
  })
  .superRefine(({ rules, webhooks }, context) => {
    const refuse = (path: (string | number)[], message: string) => context.addIssue({ code: "custom", path, message });
    const names = new Set(rules.map((rule) => rule.name));
    if (names.size < rules.length) refuse(["rules"], "two rules have one name");
    if (new Set(webhooks.map((webhook) => webhook.name)).size < webhooks.length)
      refuse(["webhooks"], "two webhooks have one name");
    for (const [at, webhook] of webhooks.entries()) {
      const unknown = webhook.rules.find((rule) => !names.has(rule));
      if (unknown !== undefined) refuse(["webhooks", at, "rules"], `there is no rule ${unknown}`);
    }
  })
  .prefault({});

export type AlertSettings = z.infer<typeof alertsSchema>;
export type WebhookSettings = AlertSettings["webhooks"][number];
