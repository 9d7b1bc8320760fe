// SPDX-License-Identifier: Apache-2.0
/** The videos with most events of a type, or with most growth, over a chosen time. */
import { useState } from "preact/hooks";
import { addressOf, askAnew, type Place } from "../place";
import { isRange, type Order, type RangeName, RankedVideos, RankingRange } from "./ranking";

const ORDERS: readonly { by: Order; label: string }[] = [
  { by: "count", label: "count" },
  { by: "growth", label: "growth" },
];

interface Asked {
  eventType: string;
  range: RangeName;
  by: Order;
}

export function TopPage({ place }: { place: Extract<Place, { view: "top" }> }) {
  const [asked, setAsked] = useState<Asked>(() => ({
    eventType: place.asked.get("eventType") ?? "VIEW",
    range: isRange(place.asked.get("range")) ?? "24h",
    by: place.asked.get("by") === "growth" ? "growth" : "count",
  }));
  const choose = (part: Partial<Asked>) => {
    const next = { ...asked, ...part };
    setAsked(next);
    askAnew(addressOf("top"), { ...next });
  };
  return (
    <>
      <h1>{asked.by === "count" ? "Top videos" : "Trending videos"}</h1>
      <div class="form">
        <label>
          Event type
          <input
            value={asked.eventType}
            maxLength={32}
            onChange={(event) => choose({ eventType: event.currentTarget.value.toUpperCase() })}
          />
        </label>
        <fieldset>
          <legend>By</legend>
          {ORDERS.map(({ by, label }) => (
            <button type="button" key={by} aria-pressed={by === asked.by} onClick={() => choose({ by })}>
              {label}
            </button>
          ))}
        </fieldset>
        <RankingRange chosen={asked.range} choose={(range) => choose({ range })} />
      </div>
      <section class="panel">
        <RankedVideos {...asked} />
      </section>
    </>
  );
}
