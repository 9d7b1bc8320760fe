// SPDX-License-Identifier: Apache-2.0
/** One channel: totals that tick, the last hour and two days, its most watched videos, and any range. */
import { useState } from "preact/hooks";
import { getChannel, getChannelStats } from "../api";
import type { LiveState } from "../live";
import { channelAddress, type Place } from "../place";
import { useAnswer } from "../use-answer";
import { Counted } from "./counted";
import { isRange, type RangeName, RankedVideos, RankingRange } from "./ranking";

export function ChannelPage({ place, live }: { place: Extract<Place, { view: "channel" }>; live: LiveState }) {
  const { channelId, asked } = place;
  const first = useAnswer(() => getChannel(channelId), 10_000, channelId);
  const title = first.value?.title;
  const [range, setRange] = useState<RangeName>(isRange(asked.get("range")) ?? "24h");
  const subject = {
    id: channelId,
    address: channelAddress(channelId),
    stats: (query: Parameters<typeof getChannelStats>[1]) => getChannelStats(channelId, query),
  };
  return (
    <>
      <h1 class="id">{title ?? channelId}</h1>
      <p class="quiet subtitle">
        Channel <span class="id">{channelId}</span>: each of its videos, for the minutes in which it belonged to it
      </p>
      {first.problem !== undefined && <p class="problem">{first.problem}</p>}
      <Counted subject={subject} totals={live.channels.get(channelId) ?? first.value?.totals} asked={asked}>
        {(eventType) => (
          <section class="panel">
            <h2>Top videos of the channel</h2>
            <div class="form">
              <RankingRange chosen={range} choose={setRange} />
            </div>
            <RankedVideos by="count" eventType={eventType} range={range} channelId={channelId} />
          </section>
        )}
      </Counted>
    </>
  );
}
