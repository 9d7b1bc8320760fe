// SPDX-License-Identifier: Apache-2.0
/** A worker module: appends what happens to it to the file that its settings name. */
import { appendFileSync } from "node:fs";

let file = "";

export async function start(settingsJson: string): Promise<void> {
  const settings = JSON.parse(settingsJson) as { file: string; fail?: boolean; hang?: boolean };
  file = settings.file;
  if (settings.fail) throw new Error("the store is not there");
  appendFileSync(file, `start ${process.pid} ${process.execArgv.join(" ")}\n`);
  if (settings.hang) setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 100);
}

export async function stop(): Promise<void> {
  appendFileSync(file, `stop ${process.pid}\n`);
}
