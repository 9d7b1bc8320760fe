// SPDX-License-Identifier: Apache-2.0
/**
 * Ends tests that do not end under a mutant: by what the process does, because the clock says nothing on a machine with
 * other work. A test that waits is given up when the event loop was idle for longer than the test ever waits, and a
 * test that works when it used a multiple of its processor time. A loop that never comes back to the event loop is seen
 * by a thread. The thread interrupts a loop of a test function that has not returned yet. Of a loop behind an `await`
 * it notes the mutant and ends the process; Stryker starts another one, which costs seconds of processor time, and asks
 * for the mutant again.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Script } from "node:vm";
import { Worker } from "node:worker_threads";

const TICK_MS = 200;
/** Nobody waits this long in a test for what comes, beside a multiple of what the test waited without a change. */
const IDLE_MS = 800;
const CPU_MS = 1_000;
const IDLE_MULTIPLE = 2;
const CPU_MULTIPLE = 4;

const { setInterval, clearInterval, setImmediate, clearImmediate } = globalThis;
const now = performance.now.bind(performance);
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

/** Calls the function under watch. A SIGINT ends what runs below it, loops without end as well. */
const CALL = new Script("__viewmillWatched()");

/** The places of what the process and the thread tell each other. */
const [SIGNS, MUTANT, BOUND_MS, IN_CALL, INTERRUPTED] = [0, 1, 2, 3, 4];

const THREAD = `
const { workerData: { folder, shared } } = require("node:worker_threads");
const { mkdirSync } = require("node:fs");
const seen = new Int32Array(shared);
let sign = -1;
let since = 0;
setInterval(() => {
  const { user, system } = process.cpuUsage();
  const usedMs = (user + system) / 1_000;
  if (seen[${SIGNS}] !== sign || seen[${MUTANT}] < 0) {
    sign = seen[${SIGNS}];
    since = usedMs;
  } else if (usedMs - since > seen[${BOUND_MS}] && seen[${IN_CALL}] === 1 && seen[${INTERRUPTED}] === 0) {
    seen[${INTERRUPTED}] = 1;
    since = usedMs;
    process.kill(process.pid, "SIGINT");
  } else if (usedMs - since > seen[${BOUND_MS}]) {
    mkdirSync(folder + "/" + seen[${MUTANT}], { recursive: true });
    process.kill(process.pid, "SIGKILL");
  }
}, 500);
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
  /** Whether a loop was interrupted, which may leave modules in any state. */
  interrupted = false;
  /** How long the functions waited since this was set to 0. */
  quietMs = 0;
  /** Whether a function came back to the event loop before its end since this was set to false. */
  hasReturned = false;

  constructor(folder) {
    /** A count of signs of the event loop, the mutant or -1, the processor time without a sign, the two flags. */
    this.seen = new Int32Array(new SharedArrayBuffer(20));
    this.seen[MUTANT] = -1;
    // The thread's signal may come when the call has just returned. Stryker itself ends its processes.
    process.on("SIGINT", () => undefined);
    const workerData = { folder, shared: this.seen.buffer };
    this.thread = new Worker(THREAD, { eval: true, workerData });
    this.thread.unref();
  }

  /** Begins to watch tests that take this time without a change; without a mutant it measures and gives nothing up. */
  begin(mutant = -1, usualMs = 0) {
    this.seen[BOUND_MS] = CPU_MS + CPU_MULTIPLE * usualMs;
    this.seen[INTERRUPTED] = 0;
    this.seen[MUTANT] = Number(mutant);
    this.seen[SIGNS] += 1;
    this.last = { at: now(), busyMs: busyMs() };
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  end() {
    clearInterval(this.timer);
    this.seen[MUTANT] = -1;
  }

  async close() {
    await this.thread.terminate();
  }

  /** Returns the function under watch, with what it used without a change; its promise is rejected where it hangs. */
  watched(fn, { cpuMs: usual = 0, quietMs = 0, isSync = false } = {}) {
    return (...args) => {
      const { promise, reject } = Promise.withResolvers();
      const current = { reject, quietMs: 0, idleMs: Number.POSITIVE_INFINITY, boundCpu: Number.POSITIVE_INFINITY };
      if (this.seen[MUTANT] >= 0) {
        current.idleMs = IDLE_MS + IDLE_MULTIPLE * quietMs;
        current.boundCpu = cpuMs() + CPU_MS + CPU_MULTIPLE * usual;
      }
      this.current = current;
      const loop = setImmediate(() => {
        this.hasReturned = true;
      });
      const result = isSync ? this.call(() => fn(...args)) : fn(...args);
      return Promise.race([result, promise]).finally(() => {
        clearImmediate(loop);
        this.quietMs += current.quietMs;
        if (this.current === current) this.current = undefined;
      });
    };
  }

  /** Calls a function that never awaits, which the thread can interrupt. */
  call(fn) {
    if (this.seen[MUTANT] < 0) return fn();
    globalThis.__viewmillWatched = fn;
    this.seen[IN_CALL] = 1;
    try {
      return CALL.runInThisContext({ breakOnSigint: true });
    } catch (error) {
      if (error?.code !== "ERR_SCRIPT_EXECUTION_INTERRUPTED") throw error;
      // Somebody else's signal ends the run.
      if (this.seen[INTERRUPTED] === 0) process.exit(130);
      this.interrupted = true;
      this.given ??= "the tests work without end";
      throw error;
    } finally {
      this.seen[IN_CALL] = 0;
    }
  }

  tick() {
    const { at, busyMs: before } = this.last;
    this.last = { at: now(), busyMs: busyMs() };
    this.seen[SIGNS] += 1;
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
