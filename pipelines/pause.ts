// SPDX-License-Identifier: Apache-2.0
/**
 * Resolves after `ms`, or as soon as `stop` is aborted. The loops of the archiver, the audit and the embedded stream
 * wait with it.
 */
export function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (ms <= 0 || stop.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      stop.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    stop.addEventListener("abort", done);
  });
}
