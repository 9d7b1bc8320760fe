/** A minute of made-up traffic from this page: some videos are watched more than others, some events are sent twice. */
import { sendEvents } from "./api";

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

/** Gives what ends it early. */
export function startDemoTraffic(onSent: (events: number) => void): () => void {
  let left = SECONDS;
  const second = async () => {
    const events = Array.from({ length: EVENTS_A_SECOND }, event);
    const repeats = events.filter(() => Math.random() < REPEATED);
    try {
      const { accepted } = await sendEvents([...events, ...repeats]);
      onSent(accepted);
    } catch {
      // A second that the service refuses is a second without traffic.
    }
    if (--left <= 0) clearInterval(timer);
  };
  const timer = setInterval(() => void second(), 1_000);
  void second();
  return () => clearInterval(timer);
}

function event(): object {
  const rank = Math.floor(VIDEOS.length * Math.random() ** 2);
  const dice = Math.random();
  const eventType = dice < 0.85 ? "VIEW" : dice < 0.96 ? "LIKE" : "SHARE";
  const value = eventType === "VIEW" ? { value: Math.round(5_000 + Math.random() * 240_000) } : {};
  return { eventId: crypto.randomUUID(), videoId: VIDEOS[rank], eventType, eventTime: Date.now(), ...value };
}
