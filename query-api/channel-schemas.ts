// SPDX-License-Identifier: Apache-2.0
/** The answers about channels, in the form of the answers about videos. */
import { z } from "zod";
import {
  channelIdSchema,
  countsSchema,
  freshness,
  named,
  statsSchema,
  title,
  topSchema,
  totalsByType,
} from "./schemas";

export const channelCountsSchema = named(
  "ChannelCounts",
  countsSchema.omit({ videoId: true }).extend({ channelId: channelIdSchema }),
);
export const channelStatsSchema = named(
  "ChannelStats",
  statsSchema.omit({ videoId: true }).extend({ channelId: channelIdSchema }),
);
export const channelTopSchema = named("ChannelTop", topSchema.extend({ channelId: channelIdSchema }));
export const channelSchema = named(
  "Channel",
  z.object({ channelId: channelIdSchema, title, totals: totalsByType, ...freshness }),
);
