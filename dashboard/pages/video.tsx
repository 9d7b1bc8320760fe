// SPDX-License-Identifier: Apache-2.0
/** One video: totals that tick, the last hour and two days, and any range. */
import { getStats, getVideo } from "../api";
import type { LiveState } from "../live";
import { channelAddress, type Place, videoAddress } from "../place";
import { useAnswer } from "../use-answer";
import { Counted } from "./counted";

export function VideoPage({ place, live }: { place: Extract<Place, { view: "video" }>; live: LiveState }) {
  const { videoId, asked } = place;
  const first = useAnswer(() => getVideo(videoId), 10_000, videoId);
  const { title, channelId, channelTitle } = first.value ?? {};
  const subject = {
    id: videoId,
    address: videoAddress(videoId),
    stats: (query: Parameters<typeof getStats>[1]) => getStats(videoId, query),
  };
  return (
    <>
      <h1 class="id">{title ?? videoId}</h1>
      <p class="quiet subtitle">
        {title !== undefined && <span class="id">{videoId}</span>}
        {channelId !== undefined && (
          <span>
            {title !== undefined && " · "}
            <a href={channelAddress(channelId)}>{channelTitle ?? channelId}</a>
          </span>
        )}
      </p>
      {first.problem !== undefined && <p class="problem">{first.problem}</p>}
      <Counted subject={subject} totals={live.totals.get(videoId) ?? first.value?.totals} asked={asked} />
    </>
  );
}
