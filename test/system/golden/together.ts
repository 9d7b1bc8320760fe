// SPDX-License-Identifier: Apache-2.0
/**
 * The golden scripts as few scripts, for a runner where each costs a job: one of all that agree on the allowed
 * lateness.
 */
import { MINUTE_MS } from "../../../domain/rules/time";
import { type GoldenScript, goldenScripts, type Step, tieredScripts } from "./script";

/** So leap years stay where they are. */
const YEARS_APART = 4;
/** The UUIDv7 in it has its time. */
const UNMOVED = "no-time";
const PASS: Step = { kind: "pass" };

/**
 * Each script in years of its own, so that none has a cell or a row of the books in common with another. Either all
 * make their passes together, or one follows the other in the order of their years.
 */
export function scriptsTogether(passes: "of all" | "of each"): GoldenScript[] {
  let moved = 0;
  const scripts = goldenScripts((name, text) => (name === UNMOVED ? text : years(text, -YEARS_APART * ++moved)));
  const latenesses = [...new Set(scripts.map(({ allowedLatenessMs }) => allowedLatenessMs))];
  return latenesses.map((lateness) => {
    const same = scripts.filter(({ allowedLatenessMs }) => allowedLatenessMs === lateness);
    return same.length === 1 ? same[0]! : together(same.reverse(), passes === "of all" ? sideBySide : oneByOne);
  });
}

/**
 * The scripts of roll-ups with an allowed lateness, which every stream of a cluster has. They are moved years back, so
 * that their days are past the retention of any deployment.
 */
export const tieredLongAgo = (): GoldenScript[] =>
  tieredScripts((_name, text) => years(text, -YEARS_APART)).filter(({ allowedLatenessMs }) => allowedLatenessMs >= 0);

const years = (text: string, more: number): string =>
  text.replace(/\b\d{4}(?=-\d\d-\d\d)/g, (year) => String(Number(year) + more));

function together(scripts: readonly GoldenScript[], inOrder: (all: Step[][]) => Step[]): GoldenScript {
  const { allowedLatenessMs } = scripts[0]!;
  return {
    // Topics and tables are named after it.
    name: allowedLatenessMs < 0 ? "together" : `together-late-after-${allowedLatenessMs / MINUTE_MS}`,
    allowedLatenessMs,
    steps: inOrder(scripts.map(({ steps }) => steps)),
    closingAudits: scripts.flatMap(({ closingAudits }) => closingAudits),
    minutes: disjoint(scripts.map(({ minutes }) => minutes)),
    // A total of one script cannot be told from those of the others. The sums of the cells cover it.
    named: [],
    ledger: new Map([...disjoint(scripts.map(({ ledger }) => ledger))].sort(([a], [b]) => a - b)),
    deadLetters: scripts.flatMap(({ deadLetters }) => deadLetters).sort(),
    scriptAt: byYear(scripts),
  };
}

function byYear(scripts: readonly GoldenScript[]): (timeMs: number) => string {
  const yearOf = (timeMs: number) => new Date(timeMs).getUTCFullYear();
  const names = new Map(
    scripts.flatMap(({ name, ledger }) => [...ledger.keys()].map((minute) => [yearOf(minute * MINUTE_MS), name])),
  );
  return (timeMs) => names.get(yearOf(timeMs)) ?? "of no script";
}

const oneByOne = (all: Step[][]): Step[] => all.flat();

function sideBySide(all: Step[][]): Step[] {
  const portions = all.map(betweenPasses);
  const rounds = Math.max(...portions.map(({ length }) => length));
  return Array.from({ length: rounds }, (_, round) => [
    ...portions.flatMap((portion) => portion[round] ?? []),
    PASS,
  ]).flat();
}

function betweenPasses(steps: readonly Step[]): Step[][] {
  const portions: Step[][] = [[]];
  for (const step of steps) {
    if (step.kind === "pass") portions.push([]);
    else portions.at(-1)!.push(step);
  }
  return portions.filter(({ length }) => length > 0);
}

function disjoint<Key, Value>(maps: readonly ReadonlyMap<Key, Value>[]): Map<Key, Value> {
  const all = new Map(maps.flatMap((map) => [...map]));
  if (all.size !== maps.reduce((sum, { size }) => sum + size, 0))
    throw new Error("two scripts have a minute in common");
  return all;
}
