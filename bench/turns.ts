// SPDX-License-Identifier: Apache-2.0
/**
 * Peers that are measured in turn. A machine's speed moves within a minute, so that a ratio of two long measurements,
 * one after the other, is one of two machines; a ratio of neighbouring short ones is not. Measurements that print a
 * ratio to a peer take turns with it.
 */
import { type Figure, type FigureOptions, figure } from "./report";

type Peers = Record<string, (round: number) => Promise<unknown>>;
type Rounds<P extends Peers> = { [Name in keyof P]: Awaited<ReturnType<P[Name]>>[] };

/** Runs each peer once a round, in the order in which they are given; returns the results of each, one a round. */
export async function inTurn<P extends Peers>(rounds: number, peers: P): Promise<Rounds<P>> {
  const results = Object.fromEntries(Object.keys(peers).map((name) => [name, [] as unknown[]]));
  for (let round = 0; round < rounds; round++)
    for (const [name, run] of Object.entries(peers)) results[name]!.push(await run(round));
  return results as Rounds<P>;
}

/** The ratio of each round. */
export function beside(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, round) => value / theirs[round]!);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The median over rounds as a figure, with its lowest and its highest round. */
export function medianFigure(
  name: string,
  title: string,
  unit: string,
  rounds: readonly number[],
  options: FigureOptions = {},
): Figure {
  const spread = { lowest: Math.min(...rounds), highest: Math.max(...rounds) };
  return { ...figure(name, title, unit, median(rounds), options), spread };
}
