// SPDX-License-Identifier: Apache-2.0
/** The popularity of videos by Zipf's law, for the formulas and the simulation of `viewmill plan`. */
import type { Workload } from "./workload";

type Popularity = Pick<Workload, "videos" | "zipf" | "hotShare">;

/** Ranks up to here are added up one by one; beyond, in groups of a hundredth of their rank. */
const EXACT_RANKS = 1_000;
const GROUP_GROWTH = 1.01;

/** Ranks in groups, [from, to), with the weight of one rank of the group. */
function* groups({ videos, zipf }: Popularity): Generator<{ ranks: number; weight: number }> {
  const exact = Math.min(videos, EXACT_RANKS);
  for (let rank = 1; rank <= exact; rank++) yield { ranks: 1, weight: rank ** -zipf };
  let from = exact + 1;
  while (from <= videos) {
    const to = Math.min(videos + 1, Math.max(from + 1, Math.floor(from * GROUP_GROWTH)));
    // Mean of x^-s over [from - 1/2, to - 1/2]: the midpoint rule the other way round.
    yield { ranks: to - from, weight: meanPower(from - 0.5, to - 0.5, zipf) };
    from = to;
  }
}

function meanPower(from: number, to: number, zipf: number): number {
  const integral = zipf === 1 ? Math.log(to / from) : (to ** (1 - zipf) - from ** (1 - zipf)) / (1 - zipf);
  return integral / (to - from);
}

/** Sum of rank^-s over all videos. */
function harmonic(popularity: Popularity): number {
  let sum = 0;
  for (const { ranks, weight } of groups(popularity)) sum += ranks * weight;
  return sum;
}

/** Share of all events that the hottest video gets. */
export function hottestShare(popularity: Popularity): number {
  const first = (1 - popularity.hotShare) / harmonic(popularity);
  return popularity.hotShare + first;
}

/**
 * Returns how many distinct videos a number of independent events is expected to touch: the sum of
 * 1 - e^(-events * share). The hottest video is the first of the ranks, with the hot share on top.
 */
export function distinctCounter(popularity: Popularity): (events: number) => number {
  const scale = (1 - popularity.hotShare) / harmonic(popularity);
  const all = [...groups(popularity)].map(({ ranks, weight }) => ({ ranks, share: weight * scale }));
  all[0] = { ranks: 1, share: all[0]!.share + popularity.hotShare };
  return (events) => {
    let distinct = 0;
    for (const { ranks, share } of all) distinct -= ranks * Math.expm1(-events * share);
    return distinct;
  };
}

/**
 * Draws ranks from 1 by rejection-inversion (Hörmann and Derflinger 1996, "Rejection-inversion to generate variates
 * from monotone discrete distributions"): no table, whatever the number of videos.
 */
export function zipfSampler({ videos, zipf }: Pick<Popularity, "videos" | "zipf">, random: () => number): () => number {
  const integral = (x: number) => (zipf === 1 ? Math.log(x) : (x ** (1 - zipf) - 1) / (1 - zipf));
  const inverse = (y: number) => (zipf === 1 ? Math.exp(y) : (1 + y * (1 - zipf)) ** (1 / (1 - zipf)));
  const first = integral(1.5) - 1;
  const last = integral(videos + 0.5);
  return () => {
    for (;;) {
      const y = first + random() * (last - first);
      const rank = Math.min(videos, Math.max(1, Math.round(inverse(y))));
      if (y >= integral(rank + 0.5) - rank ** -zipf) return rank;
    }
  };
}
