// SPDX-License-Identifier: Apache-2.0
/**
 * A worker module: a gate that opens for no call until the worker stops, after the time in its settings; then all
 * waiting calls are turned away.
 */
import { provideResource } from "../../../engine";
import type { Gate } from "../fns";
import "../fns";

let closingMs = 0;
let turnAway: (error: Error) => void = () => undefined;
const closed = new Promise<never>((_resolve, reject) => {
  turnAway = reject;
});
closed.catch(() => undefined);

export function start(settingsJson: string): void {
  closingMs = (JSON.parse(settingsJson) as { closingMs: number }).closingMs;
  const enter = () => {
    process.stdout.write("entered\n");
    return closed;
  };
  provideResource<Gate>("gate", { enter });
}

export async function stop(): Promise<void> {
  turnAway(new Error("the store is closed"));
  await new Promise((resolve) => setTimeout(resolve, closingMs));
}
