// SPDX-License-Identifier: Apache-2.0
/**
 * All requests and answers as zod schemas. The schemas check the requests, and openapi.json is made from them. Answers
 * are described, not checked, at run time; the tests check them. Each endpoint names its own from here.
 */
import { z } from "zod";
import { newKeySchema } from "../admission/new-key";
import { BUCKET_UNITS, calendarOf } from "../domain/calendar";
import { isChannelId } from "../domain/catalog/catalog-line";
import { isIntegerText } from "../domain/decimal-text";
import { EVENT_TYPE_PATTERN, isEventType, isVideoId, parseRfc3339 } from "../domain/event";
import { REJECTION_REASONS } from "../domain/rejection";
import { SCOPES } from "../io/ports/access-keys";
import { MAX_BUCKETS } from "./range";

/** The named schemas: components/schemas of openapi.json. */
export const components = z.registry<{ id: string }>();

export function named<S extends z.ZodType>(id: string, schema: S): S {
  components.add(schema, { id });
  return schema;
}

// ---------------------------------------------------------------- requests

export const videoIdSchema = z
  .string()
  .refine(isVideoId, "must be 1 to 128 of A-Z a-z 0-9 _ - . : /")
  .meta({
    description: "1 to 128 of A-Z a-z 0-9 _ - . : /",
    pattern: "^[A-Za-z0-9_\\-.:/]{1,128}$",
    examples: ["video-1"],
  });

export const channelIdSchema = z
  .string()
  .refine(isChannelId, "must be 1 to 128 of A-Z a-z 0-9 _ - . : /")
  .meta({
    description: "1 to 128 of A-Z a-z 0-9 _ - . : /",
    pattern: "^[A-Za-z0-9_\\-.:/]{1,128}$",
    examples: ["channel-1"],
  });

const eventTypeSchema = z
  .string()
  .refine(isEventType, "must match [A-Z][A-Z0-9_]{0,31}")
  .meta({ description: "VIEW, LIKE, SHARE or any other name", pattern: EVENT_TYPE_PATTERN, examples: ["VIEW"] });

const eventTypeAsked = eventTypeSchema.default("VIEW");

/** Reads RFC 3339 into epoch milliseconds. A `+` that a URL turned into a space is read as `+`. */
const time = (description: string) =>
  z
    .string()
    .transform((text, context) => {
      const timeMs = parseRfc3339(text.replace(/ (?=\d\d:\d\d$)/, "+"));
      if (timeMs !== undefined) return timeMs;
      context.addIssue("must be an RFC 3339 time since 1970, such as 2026-11-21T10:00:00Z");
      return z.NEVER;
    })
    .meta({ description, format: "date-time" });

const range = {
  start: time("Inclusive, widened down. Without it: 24 hours before end").optional(),
  end: time("Exclusive, widened up. Without it: the next minute").optional(),
};
const granularity = z.enum(BUCKET_UNITS);
const granularityAsked = granularity.optional().meta({
  description:
    "Widens the range to whole buckets; weeks begin on Monday. Without it: the finest that gives at most 1,500 buckets",
});
/** No name of a zone has a space: a `+` that a URL turned into one (Etc/GMT+5) is read as `+`. */
const timeZone = z
  .string()
  .transform((name) => name.replaceAll(" ", "+"))
  .refine((name) => calendarOf(name) !== undefined, "must be a time zone of the IANA database, such as Europe/Berlin")
  .optional()
  .meta({
    description: "IANA name of the time zone of days, weeks and months. Without it: UTC",
    examples: ["Europe/Berlin"],
  });
const aggregate = z.enum(["COUNT", "SUM", "AVERAGE"]);
/** Reads a whole number by its decimal text: `4.9999999999999999` is no whole number, though its double is 5. */
const wholeNumber = (asked: unknown) => (typeof asked === "string" && isIntegerText(asked) ? Number(asked) : asked);
const upTo = (most: number) => {
  const said = `must be a whole number from 1 to ${most}`;
  return z.number(said).int(said).min(1, said).max(most, said);
};
const limit = (most: number, usual: number) => z.preprocess(wholeNumber, upTo(most).default(usual));

export const nothingAsked = z.object({});
export const videoAsked = z.strictObject({});
const MAX_CURSOR_CHARACTERS = 400;
export const countsAsked = z.strictObject({
  eventType: eventTypeAsked,
  ...range,
  granularity: granularityAsked,
  tz: timeZone,
  compare: z
    .enum(["previous"])
    .optional()
    .meta({ description: "previous: with as many buckets directly before the range" }),
  limit: z.preprocess(wholeNumber, upTo(MAX_BUCKETS).optional()).meta({
    description: "Answers a range of any length in pages of so many buckets, each with a cursor to the next",
  }),
  cursor: z
    .string()
    .max(MAX_CURSOR_CHARACTERS)
    .optional()
    .meta({ description: "Of the page before; what is asked beside it is the same, or left out" }),
});
const MAX_SEARCH_CHARACTERS = 128;
/** A search of 128 characters, 128 of a title and an id of 128: at most 1,030 bytes as JSON, 4/3 as much in base64. */
const MAX_SEARCH_CURSOR_CHARACTERS = 1500;
export const searchAsked = z.strictObject({
  search: z
    .string()
    .min(1)
    .max(MAX_SEARCH_CHARACTERS)
    .optional()
    .meta({ description: "What the id or the title begins with" }),
  order: z
    .literal("newest")
    .optional()
    .meta({ description: "In place of `search`: all videos whose publication is known, the newest first" }),
  limit: limit(100, 20),
  cursor: z.string().max(MAX_SEARCH_CURSOR_CHARACTERS).optional().meta({ description: "Of the answer before" }),
});
export const statsAsked = countsAsked.extend({ function: aggregate });
const MAX_LABEL_CHARACTERS = 40;
export const badgeAsked = z.strictObject({
  eventType: eventTypeAsked,
  label: z
    .string()
    .min(1)
    .max(MAX_LABEL_CHARACTERS)
    .optional()
    .meta({ description: "The text beside the number. Without it: the type" }),
});
export const topAsked = z.strictObject({ eventType: eventTypeAsked, ...range, limit: limit(1000, 10) });
export const rankingAsked = topAsked.extend({
  channelId: channelIdSchema.optional().meta({ description: "Only videos of this channel, as it had them then" }),
});
export const ledgerAsked = z.strictObject({ ...range });
const MAX_WATCHED_VIDEOS = 50;
const MAX_WATCHED_CHANNELS = 5;
export const liveAsked = z.strictObject({
  videos: z
    .string()
    .default("")
    .transform((text) => (text === "" ? [] : text.split(",")))
    .pipe(z.array(videoIdSchema).max(MAX_WATCHED_VIDEOS))
    .meta({ description: `Ids of at most ${MAX_WATCHED_VIDEOS} videos, with commas between them` }),
  channels: z
    .string()
    .default("")
    .transform((text) => (text === "" ? [] : text.split(",")))
    .pipe(z.array(channelIdSchema).max(MAX_WATCHED_CHANNELS))
    .meta({ description: `Ids of at most ${MAX_WATCHED_CHANNELS} channels, with commas between them` }),
  books: z
    .enum(["0", "1"])
    .default("0")
    .transform((text) => text === "1")
    .meta({ description: "1: with the books of the last hour" }),
});
export const auditsAsked = z.strictObject({ limit: limit(100, 20) });

export const queryAsked = named(
  "Query",
  z.strictObject({
    videoIds: z.array(videoIdSchema).max(100).default([]),
    channelIds: z
      .array(channelIdSchema)
      .max(20)
      .default([])
      .meta({ description: "At least one video or channel is wanted" }),
    eventTypes: z.array(eventTypeSchema).min(1).max(20),
    ...range,
    granularity: granularity.optional().meta({
      description: "Without it: the finest that gives at most 1,500 buckets a series and 10,000 together",
    }),
    tz: timeZone,
    functions: z.array(aggregate).min(1).max(3).default(["COUNT"]),
  }),
);

export const newKeyAsked = named("NewKey", newKeySchema);
export const keyIdSchema = z.string().regex(/^[A-Za-z0-9]{1,32}$/);

// ---------------------------------------------------------------- answers

export const instant = (description: string) => z.iso.datetime().meta({ description });
export const count = z.int().min(0);
/** Sums are exact beyond 2^53; a JSON reader that takes every number for a double rounds them. */
const exactSum = z
  .custom<number | bigint>((value) => typeof value === "bigint" || Number.isInteger(value))
  .meta({ type: "integer", description: "Exact, also beyond 2^53" });
const aggregated = z.union([exactSum, z.number(), z.null()]).meta({
  description: "COUNT and SUM: an exact integer; AVERAGE: the nearest double, null where no event has a value",
});
const state = z.enum(["provisional", "final", "audited", "closed"]).meta({
  description:
    "provisional: the stream may still change it; final: completeThrough has passed its end and the lateness horizon, and an event that is accepted for it later raises revision; audited: final, recounted from the archive, equal or corrected, unchanged since; closed: audited, and older than the raw retention, so that no event can be accepted for it any more",
});
const revision = z
  .int()
  .min(1)
  .optional()
  .meta({ description: "How often the value changed after it was first final; left out while it never did" });
export const freshness = {
  asOf: instant("When the answer was read"),
  completeThrough: instant("Every event accepted before this is in the answer"),
};
const effective = {
  start: instant("The effective range, inclusive"),
  end: instant("The effective range, exclusive"),
};

const totalSchema = named("Total", z.object({ count, sum: exactSum, lastEventAt: instant("Event time") }));
export const title = z.string().optional().meta({ description: "Of the catalog, where it is known" });
const videoMembers = {
  title,
  channelId: channelIdSchema.optional().meta({ description: "The channel that the video belongs to now" }),
  channelTitle: title,
  publishedAt: instant("As the catalog says").optional(),
};
export const totalsByType = z
  .record(z.string(), totalSchema)
  .meta({ description: "By event type; empty where nothing was counted" });
export const searchSchema = named(
  "Videos",
  z.object({
    videos: z.array(z.object({ videoId: videoIdSchema, ...videoMembers, totals: totalsByType })),
    cursor: z.string().optional().meta({ description: "Asks for the next page; left out on the last one" }),
    ...freshness,
  }),
);
export const catalogLinesAsked = named(
  "CatalogLines",
  z
    .custom<Uint8Array>((body) => body instanceof Uint8Array)
    .meta({ type: "string", description: "One JSON object a line, in UTF-8" }),
);
export const catalogLoadedSchema = named(
  "CatalogLoaded",
  z.object({
    loaded: count.meta({ description: "Lines that are durably in the catalog" }),
    rejected: z.array(z.object({ line: z.int().min(1), detail: z.string() })).meta({ description: "The first 1,000" }),
    unnamed: count.optional().meta({ description: "Refused lines behind these; left out while there are none" }),
  }),
);
export const videoSchema = named(
  "Video",
  z.object({
    videoId: videoIdSchema,
    ...videoMembers,
    totals: totalsByType,
    ...freshness,
  }),
);
const source = z
  .literal("rollup")
  .optional()
  .meta({ description: "Some of the value was read from a roll-up; left out where all of it was in the store" });
const zone = z.string().optional().meta({ description: "The time zone, as asked" });
const nextPage = z.string().optional().meta({ description: "Asks for the next page; left out on the last one" });
const countBucket = named("CountBucket", z.object({ start: instant("Of the bucket"), count, state, revision, source }));
export const countsSchema = named(
  "Counts",
  z.object({
    videoId: videoIdSchema,
    eventType: eventTypeSchema,
    ...effective,
    granularity,
    tz: zone,
    count: count.meta({ description: "The sum of the buckets" }),
    buckets: z.array(countBucket).meta({ description: "Every bucket of the range, in order" }),
    previous: z
      .object({ ...effective, count, buckets: z.array(countBucket) })
      .optional()
      .meta({ description: "As many buckets directly before, where compare=previous was asked" }),
    cursor: nextPage,
    ...freshness,
  }),
);
const statsBucket = named(
  "StatsBucket",
  z.object({ start: instant("Of the bucket"), value: aggregated, state, revision, source }),
);
export const statsSchema = named(
  "Stats",
  z.object({
    videoId: videoIdSchema,
    eventType: eventTypeSchema,
    function: aggregate,
    ...effective,
    granularity,
    tz: zone,
    value: aggregated,
    buckets: z.array(statsBucket).meta({ description: "Every bucket of the range, in order" }),
    previous: z
      .object({ ...effective, value: aggregated, buckets: z.array(statsBucket) })
      .optional()
      .meta({ description: "As many buckets directly before, where compare=previous was asked" }),
    cursor: nextPage,
    ...freshness,
  }),
);
export const topSchema = named(
  "Top",
  z.object({
    ...effective,
    eventType: eventTypeSchema,
    videos: z
      .array(z.object({ videoId: videoIdSchema, title, count: z.int().min(1) }))
      .meta({ description: "By count, ties by videoId" }),
    ...freshness,
  }),
);
export const trendingSchema = named(
  "Trending",
  z.object({
    ...effective,
    eventType: eventTypeSchema,
    videos: z
      .array(
        z.object({
          videoId: videoIdSchema,
          title,
          count: z.int().min(1),
          previous: count.meta({ description: "Of as long a period directly before" }),
          growth: z.int().min(1),
        }),
      )
      .meta({ description: "By growth, ties by videoId" }),
    ...freshness,
  }),
);
const values = z
  .object({ COUNT: aggregated, SUM: aggregated, AVERAGE: aggregated })
  .partial()
  .meta({ description: "One member for each function asked" });
export const queryAnswerSchema = named(
  "QueryAnswer",
  z.object({
    ...effective,
    granularity,
    tz: zone,
    buckets: z
      .array(z.object({ start: instant("Of the bucket"), state }))
      .meta({ description: "Every bucket of the range, in order; shared by all series" }),
    series: z
      .array(
        z.object({
          videoId: videoIdSchema.optional(),
          channelId: channelIdSchema.optional().meta({ description: "In place of videoId, where it is a channel's" }),
          title,
          eventType: eventTypeSchema,
          values: values.meta({ description: "Over the whole range" }),
          buckets: z.array(values.extend({ revision, source })).meta({ description: "One for each of `buckets`" }),
        }),
      )
      .meta({ description: "One for each video and event type, in the order asked (videos first)" }),
    ...freshness,
  }),
);
const books = { accepted: count, archived: count, counted: count, duplicate: count, late: count };
const balanced = z.boolean().meta({
  description:
    "accepted = archived + lost, and archived = counted + duplicate + late; false where events are still on their way, too",
});
const part = (description: string) =>
  z
    .int()
    .min(1)
    .optional()
    .meta({ description: `${description}; left out while 0` });
const partsOfAccepted = {
  direct: part("Accepted events that producers wrote to the log themselves"),
  backfilled: part("Accepted events that came by backfill"),
  unbooked: part(
    "Accepted events that no ingest instance has booked: one ended before its last booking, or the log had an append after all whose outcome was unknown",
  ),
  lost: part("Accepted events that an audit found in no archive, and that an operator has written off"),
};
const lostReason = z
  .string()
  .optional()
  .meta({ description: "Why, in the operator's words; left out where none is lost" });
export const ledgerSchema = named(
  "Ledger",
  z.object({
    ...effective,
    minutes: z
      .array(z.object({ start: instant("Minute of event time"), ...books, balanced, ...partsOfAccepted, lostReason }))
      .meta({ description: "Only minutes with events" }),
    totals: z.object({
      ...books,
      balanced: z.boolean().meta({ description: "Every minute is" }),
      lost: partsOfAccepted.lost,
      rejected: count.meta({ description: "Events refused, by minute of receipt in the range" }),
    }),
    ...freshness,
  }),
);
const key = {
  id: keyIdSchema,
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  public: z.boolean(),
  eventTypes: z.array(eventTypeSchema).optional(),
  origins: z.array(z.string()).optional(),
  limits: z.object({
    requestsPerSecond: z.number().optional(),
    eventsPerSecond: z.number().optional(),
    bytesPerSecond: z.number().optional(),
    eventsPerDay: z.int().optional(),
  }),
  state: z.enum(["active", "expired", "revoked"]),
  createdAt: instant("When it was made"),
  expiresAt: instant("Not taken from then on").optional(),
  revokedAt: instant("When it was revoked").optional(),
  lastUsedAt: instant("Of any instance, a few seconds late").optional(),
};
export const keysSchema = named("Keys", z.object({ keys: z.array(z.object(key)) }));
export const createdKeySchema = named(
  "CreatedKey",
  z.object({ ...key, key: z.string().meta({ description: "The key itself, shown this once" }) }),
);
export const revokedKeySchema = named("RevokedKey", z.object({ id: keyIdSchema, state: z.literal("revoked") }));
export const healthSchema = named("Health", z.object({ status: z.literal("ok") }));
const dependencies = z.array(
  z.object({
    name: z.string(),
    ok: z.boolean(),
    detail: z.string(),
    required: z.boolean().meta({ description: "Without it the service is not ready" }),
  }),
);
export const readySchema = named("Ready", z.object({ ready: z.literal(true), dependencies }));
export const problemSchema = named(
  "Problem",
  z.looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().meta({ description: "Also in the server's log" }),
    dependencies: dependencies.optional().meta({ description: "Of /readyz" }),
  }),
);

// ---------------------------------------------------------------- the write API, briefly

export const eventSchema = named(
  "Event",
  z.looseObject({
    eventId: z.string().min(1).max(128).meta({ description: "Printable ASCII; UUIDv7 recommended" }),
    videoId: videoIdSchema,
    eventType: eventTypeSchema,
    eventTime: z
      .union([z.string().meta({ format: "date-time" }), z.int().min(0)])
      .optional()
      .meta({
        description: "RFC 3339 or epoch milliseconds; without it: from a UUIDv7 eventId, else stamped at receipt",
      }),
    value: z.int().optional().meta({ description: "In the smallest unit; sums stay exact" }),
  }),
);
export const eventsSchema = named(
  "Events",
  z.union([eventSchema, z.array(eventSchema), z.object({ events: z.array(eventSchema) })]),
);
export const acceptedSchema = named(
  "Accepted",
  z.object({
    accepted: count,
    rejected: z.array(
      z.object({
        index: count,
        eventId: z.string().nullable(),
        reason: z.enum(REJECTION_REASONS),
        detail: z.string(),
      }),
    ),
  }),
);
