// SPDX-License-Identifier: Apache-2.0
/**
 * Ends tests that do not end under a mutant: by what the process does, because the clock says nothing on a machine with
 * other work. A test that waits is given up when the event loop was idle for longer than the test ever waits, and a
 * test that works when it used a multiple of its processor time. A loop that never comes back to the event loop is seen
 * by a thread, which notes the mutant and ends the process; Stryker starts another one and asks for the mutant again.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";

const TICK_MS = 200;
/** Nobody waits this long in a test for what comes, beside a multiple of what the test waited without a change. */
const IDLE_MS = 800;
const CPU_MS = 2_000;
const IDLE_MULTIPLE = 2;
const CPU_MULTIPLE = 4;

const { setInterval, clearInterval } = globalThis;
const now = performance.now.bind(performance);
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

const THREAD = `
const { workerData: { folder, shared } } = require("node:worker_threads");
const { mkdirSync } = require("node:fs");
const seen = new Int32Array(shared);
let sign = -1;
let since = 0;
setInterval(() => {
  const { user, system } = process.cpuUsage();
  const usedMs = (user + system) / 1_000;
  if (seen[0] !== sign || seen[1] < 0) {
    sign = seen[0];
    since = usedMs;
  } else if (usedMs - since > seen[2]) {
    mkdirSync(folder + "/" + seen[1], { recursive: true });
    process.kill(process.pid, "SIGKILL");
  }
}, 1_000);
`;

const TASKS = "/proc/self/task";
const hasTasks = existsSync(`${TASKS}/${process.pid}/schedstat`);

/**
 * Returns the time in which threads worked, or waited for a processor, which on a busy machine is most of the time of a
 * test. Elsewhere than on Linux only the work is known.
 */
function busyMs() {
  if (!hasTasks) return cpuMs();
  let sum = 0;
  for (const task of readdirSync(TASKS)) {
    try {
      const [worked, waited] = readFileSync(`${TASKS}/${task}/schedstat`, "utf8").split(" ");
      sum += (Number(worked) + Number(waited)) / 1e6;
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return sum;
}

export class Watch {
  /** Why a test was given up, since the last look. */
  given;
  /** How long the functions waited since this was set to 0. */
  quietMs = 0;

  constructor(folder) {
    /** For the thread: a count of signs of the event loop, the mutant or -1, the processor time without a sign. */
    this.seen = new Int32Array(new SharedArrayBuffer(12));
    this.seen[1] = -1;
    const workerData = { folder, shared: this.seen.buffer };
    this.thread = new Worker(THREAD, { eval: true, workerData });
    this.thread.unref();
  }

  /** Begins to watch tests that take this time without a change; without a mutant it measures and gives nothing up. */
  begin(mutant = -1, usualMs = 0) {
    this.seen[2] = CPU_MS + CPU_MULTIPLE * usualMs;
    this.seen[1] = Number(mutant);
    this.seen[0] += 1;
    this.last = { at: now(), busyMs: busyMs() };
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  end() {
    clearInterval(this.timer);
    this.seen[1] = -1;
  }

  async close() {
    await this.thread.terminate();
  }

  /** Returns the function under watch, with what it used without a change; its promise is rejected where it hangs. */
  watched(fn, { cpuMs: usual = 0, quietMs = 0 } = {}) {
    return (...args) => {
      const { promise, reject } = Promise.withResolvers();
      const current = { reject, quietMs: 0, idleMs: Number.POSITIVE_INFINITY, boundCpu: Number.POSITIVE_INFINITY };
      if (this.seen[1] >= 0) {
        current.idleMs = IDLE_MS + IDLE_MULTIPLE * quietMs;
        current.boundCpu = cpuMs() + CPU_MS + CPU_MULTIPLE * usual;
      }
      this.current = current;
      return Promise.race([fn(...args), promise]).finally(() => {
        this.quietMs += current.quietMs;
        if (this.current === current) this.current = undefined;
      });
    };
  }

  tick() {
    const { at, busyMs: before } = this.last;
    this.last = { at: now(), busyMs: busyMs() };
    this.seen[0] += 1;
    const { current } = this;
    if (current === undefined) return;
    current.quietMs += Math.max(0, this.last.at - at - Math.max(0, this.last.busyMs - before));
    if (current.quietMs > current.idleMs) this.giveUp("the tests wait without end");
    else if (cpuMs() > current.boundCpu) this.giveUp("the tests work without end");
  }

  giveUp(reason) {
    this.given ??= reason;
    this.current.reject(new Error(reason));
    this.current = undefined;
  }
}
