// SPDX-License-Identifier: Apache-2.0
/** A worker module: appends what happens to it to the file that its settings name. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";

let file = "";

export async function start(settingsJson: string): Promise<void> {
  const settings = JSON.parse(settingsJson) as { file: string; fail?: boolean; hangWhen?: string };
  file = settings.file;
  if (settings.fail) throw new Error("the store is not there");
  appendFileSync(file, `start ${process.pid} ${process.execArgv.join(" ")}\n`);
  if (settings.hangWhen !== undefined) hangWhenNamed(settings.hangWhen);
}

/** Stops the event loop for good once the file holds this process's id. */
function hangWhenNamed(path: string): void {
  setInterval(() => {
    if (!existsSync(path) || readFileSync(path, "utf8") !== String(process.pid)) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }, 50).unref();
}

export async function stop(): Promise<void> {
  appendFileSync(file, `stop ${process.pid}\n`);
}
