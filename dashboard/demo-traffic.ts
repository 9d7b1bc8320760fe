// SPDX-License-Identifier: Apache-2.0
/**
 * A minute of invented traffic from this page by the client library: some videos are watched more than others, and some
 * events are sent twice.
 */
import { useEffect, useState } from "preact/hooks";
import type { ClientEvent } from "../client/read-event";

const SECONDS = 60;
const EVENTS_A_SECOND = 40;
const VIDEOS = [
  "cats-42",
  "how-to-bake",
  "city-at-night",
  "goal-of-the-year",
  "ocean-waves",
  "chess-opening",
  "first-steps",
];
const REPEATED = 0.05;
/**
 * The client as the service serves it. The script is loaded when the button is pressed, so that no other reader of the
 * page downloads it.
 */
const CLIENT = "/client.js";

export interface Traffic {
  sent: number;
  /** 0: no traffic is under way. */
  secondsLeft: number;
}

let traffic: Traffic = { sent: 0, secondsLeft: 0 };
let stopped = new AbortController();
const watchers = new Set<(traffic: Traffic) => void>();

/** The traffic of this page, which continues when the view changes. */
export function useDemoTraffic(): Traffic {
  const [state, setState] = useState(traffic);
  useEffect(() => {
    watchers.add(setState);
    return () => void watchers.delete(setState);
  }, []);
  return state;
}

export function startDemoTraffic(): void {
  if (traffic.secondsLeft > 0) return;
  stopped = new AbortController();
  change({ sent: 0, secondsLeft: SECONDS });
  void send(stopped.signal);
}

export function stopDemoTraffic(): void {
  stopped.abort();
  change({ secondsLeft: 0 });
}

function change(part: Partial<Traffic>): void {
  traffic = { ...traffic, ...part };
  for (const watcher of watchers) watcher(traffic);
}

async function send(end: AbortSignal): Promise<void> {
  const { ViewmillClient } = (await import(CLIENT)) as typeof import("../client/browser");
  const client = new ViewmillClient({ url: location.origin });
  for (let left = SECONDS; left > 0 && !end.aborted; left--) {
    change({ secondsLeft: left });
    const events = Array.from({ length: EVENTS_A_SECOND }, event);
    const all = [...events, ...events.filter(() => Math.random() < REPEATED)];
    client.processEvents(all).then(
      () => change({ sent: traffic.sent + all.length }),
      // A second that the service refuses is a second without traffic.
      () => {},
    );
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  if (!end.aborted) change({ secondsLeft: 0 });
  await client.close();
}

function event(): ClientEvent {
  const rank = Math.floor(VIDEOS.length * Math.random() ** 2);
  const dice = Math.random();
  const eventType = dice < 0.85 ? "VIEW" : dice < 0.96 ? "LIKE" : "SHARE";
  const value = eventType === "VIEW" ? { value: Math.round(5_000 + Math.random() * 240_000) } : {};
  return { eventId: crypto.randomUUID(), videoId: VIDEOS[rank]!, eventType, eventTime: Date.now(), ...value };
}
