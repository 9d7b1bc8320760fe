// SPDX-License-Identifier: Apache-2.0
/**
 * Videos in order of their count, or of their growth against the period before. The page of rankings and the page of a
 * channel show them.
 */
import { getTop, getTrending, type Top } from "../api";
import { moment, whole } from "../format";
import { videoAddress } from "../place";
import { useAnswer } from "../use-answer";

const HOUR_MS = 3_600_000;
const RANGES = [
  { name: "1h", label: "hour", lengthMs: HOUR_MS },
  { name: "24h", label: "24 hours", lengthMs: 24 * HOUR_MS },
  { name: "48h", label: "48 hours", lengthMs: 48 * HOUR_MS },
  { name: "7d", label: "7 days", lengthMs: 168 * HOUR_MS },
  { name: "30d", label: "30 days", lengthMs: 720 * HOUR_MS },
] as const;
const LIMIT = 50;
const ASKED_EVERY_MS = 5_000;

export type RangeName = (typeof RANGES)[number]["name"];
export type Order = "count" | "growth";

export const isRange = (text: string | null): RangeName | undefined => RANGES.find(({ name }) => name === text)?.name;

export function RankingRange({ chosen, choose }: { chosen: RangeName; choose: (name: RangeName) => void }) {
  return (
    <fieldset>
      <legend>Of the last</legend>
      {RANGES.map(({ name, label }) => (
        <button type="button" key={name} aria-pressed={name === chosen} onClick={() => choose(name)}>
          {label}
        </button>
      ))}
    </fieldset>
  );
}

interface Ranking {
  by: Order;
  eventType: string;
  range: RangeName;
  /** Absent: of all videos. */
  channelId?: string;
}

export function RankedVideos(ranking: Ranking) {
  const { by, eventType, range, channelId = "" } = ranking;
  const answer = useAnswer(() => ranked(ranking), ASKED_EVERY_MS, `${by} ${eventType} ${range} ${channelId}`);
  const videos = answer.value?.videos ?? [];
  const most = weight(videos[0]);
  return (
    <>
      {answer.problem !== undefined && <p class="problem">{answer.problem}</p>}
      <table class="top">
        <caption>{captionOf(answer.value, by)}</caption>
        <thead>
          <tr>
            <th class="number">#</th>
            <th>Video</th>
            <th class="number">{eventType}</th>
            {by === "growth" && <th class="number">Growth</th>}
            <th class="wide">Share of the first</th>
          </tr>
        </thead>
        <tbody>
          {videos.map((video, at) => (
            <tr key={video.videoId}>
              <td class="number">{at + 1}</td>
              <td>
                <a href={videoAddress(video.videoId)}>{video.title ?? video.videoId}</a>
                {video.title !== undefined && <span class="quiet id">{video.videoId}</span>}
              </td>
              <td class="number">{whole(video.count)}</td>
              {by === "growth" && <td class="number">+{whole(video.growth ?? 0)}</td>}
              <td class="wide">
                <span class="share" style={{ width: `${(weight(video) / most) * 100}%` }} />
              </td>
            </tr>
          ))}
          {answer.value !== undefined && videos.length === 0 && (
            <tr>
              <td colSpan={by === "growth" ? 5 : 4} class="quiet">
                {by === "growth" ? "no video grew in this time" : "nothing in this time"}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </>
  );
}

/** What videos are ordered by. */
const weight = (video: Top["videos"][number] | undefined): number => video?.growth ?? video?.count ?? 1;

function captionOf(top: Top | undefined, by: Order): string {
  if (top === undefined) return "asking";
  const range = `${moment(top.start)} to ${moment(top.end)}`;
  return by === "count" ? `${range}, by count` : `${range}, by growth against as long a time before`;
}

function ranked({ by, eventType, range, channelId }: Ranking): Promise<Top> {
  const end = Date.now();
  const lengthMs = RANGES.find(({ name }) => name === range)!.lengthMs;
  const start = new Date(end - lengthMs).toISOString();
  const ask = by === "count" ? getTop : getTrending;
  return ask({ eventType, start, end: new Date(end).toISOString(), limit: LIMIT, channelId });
}
