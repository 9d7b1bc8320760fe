// SPDX-License-Identifier: Apache-2.0
/**
 * Gives back what the start of a program has left. Most of what it loads survives for a while, for which V8 lets the
 * young generation grow; a service that is idle afterwards would keep that memory until its next garbage collection,
 * which may be hours away. `serve` and its stream call it when they have started.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Takes about a tenth of a second. The flavor is that of a full heap: what is free goes to the system at once. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: { type: "major"; flavor: "last-resort" }) => void;
  // With other flags than at its start, Node compiles its own modules anew.
  setFlagsFromString("--no-expose-gc");
  collect({ type: "major", flavor: "last-resort" });
}
