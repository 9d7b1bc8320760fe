// SPDX-License-Identifier: Apache-2.0
/** The videos with most events of a type, over a chosen time. */
import { useState } from "preact/hooks";
import { getTop } from "../api";
import { moment, whole } from "../format";
import { addressOf, askAnew, type Place, videoAddress } from "../place";
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

export function TopPage({ place }: { place: Extract<Place, { view: "top" }> }) {
  const [eventType, setEventType] = useState(place.asked.get("eventType") ?? "VIEW");
  const [rangeName, setRangeName] = useState(place.asked.get("range") ?? "24h");
  const range = RANGES.find(({ name }) => name === rangeName) ?? RANGES[1];
  const answer = useAnswer(() => top(eventType, range.lengthMs), 5_000, `${eventType} ${range.name}`);
  const choose = (type: string, name: string) => {
    setEventType(type);
    setRangeName(name);
    askAnew(addressOf("top"), { eventType: type, range: name });
  };
  const videos = answer.value?.videos ?? [];
  const most = videos[0]?.count ?? 1;
  return (
    <>
      <h1>Top videos</h1>
      <div class="form">
        <label>
          Event type
          <input
            value={eventType}
            maxLength={32}
            onChange={(event) => choose(event.currentTarget.value.toUpperCase(), range.name)}
          />
        </label>
        <fieldset>
          <legend>Of the last</legend>
          {RANGES.map(({ name, label }) => (
            <button type="button" key={name} aria-pressed={name === range.name} onClick={() => choose(eventType, name)}>
              {label}
            </button>
          ))}
        </fieldset>
      </div>
      {answer.problem !== undefined && <p class="problem">{answer.problem}</p>}
      <section class="panel">
        <table class="top">
          <caption>
            {answer.value === undefined
              ? "asking"
              : `${moment(answer.value.start)} to ${moment(answer.value.end)}, by count`}
          </caption>
          <thead>
            <tr>
              <th class="number">#</th>
              <th>Video</th>
              <th class="number">{eventType}</th>
              <th class="wide">Share of the first</th>
            </tr>
          </thead>
          <tbody>
            {videos.map(({ videoId, title, count }, at) => (
              <tr key={videoId}>
                <td class="number">{at + 1}</td>
                <td>
                  <a href={videoAddress(videoId)}>{title ?? videoId}</a>
                  {title !== undefined && <span class="quiet id">{videoId}</span>}
                </td>
                <td class="number">{whole(count)}</td>
                <td class="wide">
                  <span class="share" style={{ width: `${(count / most) * 100}%` }} />
                </td>
              </tr>
            ))}
            {answer.value !== undefined && videos.length === 0 && (
              <tr>
                <td colSpan={4} class="quiet">
                  nothing in this time
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </section>
    </>
  );
}

function top(eventType: string, lengthMs: number) {
  const end = Date.now();
  const start = new Date(end - lengthMs).toISOString();
  return getTop({ eventType, start, end: new Date(end).toISOString(), limit: LIMIT });
}
