// SPDX-License-Identifier: Apache-2.0
/**
 * The videos and channels of the demo: `viewmill demo` loads the catalog, and the demo's traffic watches the videos.
 */
import { HOUR_MS } from "../../domain/rules/time";

interface DemoChannel {
  channelId: string;
  channelTitle: string;
  titles: readonly string[];
}

interface DemoVideo {
  videoId: string;
  title: string;
  channelId: string;
  channelTitle: string;
}

/** The invented channels and videos of the demo, most watched first within a channel. */
const CHANNELS: readonly DemoChannel[] = [
  {
    channelId: "slow-kitchen",
    channelTitle: "The Slow Kitchen",
    titles: [
      "Bread with four ingredients",
      "Onion soup for a rainy evening",
      "One pan, three dinners",
      "How sharp is sharp enough?",
      "Pickles that keep all winter",
      "Ramen broth, hour by hour",
    ],
  },
  {
    channelId: "night-trains",
    channelTitle: "Night Trains",
    titles: [
      "Across the Alps in the dark",
      "The last sleeper to the north",
      "What the driver sees",
      "A kitchen on rails",
      "Eleven borders in one night",
    ],
  },
  {
    channelId: "goal-line",
    channelTitle: "Goal Line",
    titles: [
      "Goal of the year: every candidate",
      "Ninety minutes in ninety seconds",
      "The save nobody saw",
      "Why the wall jumps",
      "A season told by its corners",
      "Penalty shoot-outs, ranked",
    ],
  },
  {
    channelId: "small-physics",
    channelTitle: "Small Physics",
    titles: [
      "Why ice is slippery",
      "A pendulum that never agrees",
      "The colour of shadows",
      "How fast does electricity start?",
      "Falling cats and spinning plates",
    ],
  },
  {
    channelId: "two-cats",
    channelTitle: "Two Cats, One Sofa",
    titles: ["Cats against the printer", "The cardboard palace", "A very small burglar", "Monday, as seen by cats"],
  },
  {
    channelId: "chess-at-nine",
    channelTitle: "Chess at Nine",
    titles: [
      "The opening everybody avoids",
      "Mate in two, three times",
      "Endgames for the impatient",
      "When a rook is worth a queen",
    ],
  },
  {
    channelId: "city-sound",
    channelTitle: "City Sound",
    titles: ["City at night, headphones on", "Rain on five roofs", "The market before it opens", "Trams of Lisbon"],
  },
  {
    channelId: "patch-notes",
    channelTitle: "Patch Notes",
    titles: [
      "Exactly once, explained with mail",
      "What a watermark knows",
      "The bug that came on Tuesdays",
      "Reading a core dump for pleasure",
      "Clocks lie",
    ],
  },
];

export const DEMO_VIDEOS: readonly DemoVideo[] = ranked(
  CHANNELS.map(({ channelId, channelTitle, titles }) =>
    titles.map((title) => ({ videoId: slug(title), title, channelId, channelTitle })),
  ),
);

/** Takes one video of each channel in turn, so that every channel has a video near the top. */
function ranked(channels: readonly (readonly DemoVideo[])[]): DemoVideo[] {
  const longest = Math.max(...channels.map(({ length }) => length));
  return Array.from({ length: longest }, (_, place) => channels.flatMap((videos) => videos[place] ?? [])).flat();
}

function slug(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

/** Between the publication of one video and that of the next. */
const PUBLISHED_EVERY_MS = 31 * HOUR_MS;

/** The lines of the catalog; the videos were published one after the other, the last one some hours ago. */
export function demoCatalog(nowMs: number): string {
  const order = [...DEMO_VIDEOS].sort((a, b) => (a.videoId < b.videoId ? -1 : 1));
  const lines = order.map((video, at) => {
    const publishedAt = new Date(nowMs - (at + 0.25) * PUBLISHED_EVERY_MS).toISOString();
    return JSON.stringify({ ...video, publishedAt });
  });
  return lines.join("\n");
}
