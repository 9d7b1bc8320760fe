// SPDX-License-Identifier: Apache-2.0
/**
 * The functions that CPU profiles (V8's .cpuprofile format) name most. The measurement of Flink under a steady load
 * reports them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

export interface FunctionTime {
  /** `name file:line`. */
  function: string;
  /** The share of the time in which the processes worked. */
  share: number;
  selfS: number;
}

/** Self times of all profiles of a folder together, largest first; the idle time is left out. */
export function topFunctions(folder: string, limit: number): FunctionTime[] {
  const times = new Map<string, number>();
  for (const name of readdirSync(folder).filter((each) => each.endsWith(".cpuprofile"))) {
    const profile = JSON.parse(readFileSync(join(folder, name), "utf8")) as Profile;
    const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
    for (const [at, node] of profile.samples.entries()) {
      const its = names.get(node) ?? "";
      times.set(its, (times.get(its) ?? 0) + profile.timeDeltas[at]! / 1e6);
    }
  }
  times.delete("(idle)");
  const total = [...times.values()].reduce((sum, selfS) => sum + selfS, 0);
  return [...times]
    .sort(([, one], [, other]) => other - one)
    .slice(0, limit)
    .map(([its, selfS]) => ({ function: its, share: selfS / total, selfS }));
}

function nameOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  return url === "" ? name : `${name} ${basename(url)}:${lineNumber + 1}`;
}
