// SPDX-License-Identifier: Apache-2.0
/**
 * A task is the part of a measurement that runs in a process of its own, so that its CPU time and its peak memory are
 * its own: neither the data it was made from nor the measurement before is in them. Measurements define tasks, and
 * their tasks run through it.
 */
import { fork } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The report of a task that serves others (a server), and the signal that they are done. */
export interface TaskContext {
  ready(value: unknown): void;
  stopped: Promise<void>;
}

export interface Task<Parameters, Result> {
  /** Compiled module that defines the task. */
  file: string;
  name: string;
  run(parameters: Parameters, context: TaskContext): Result | Promise<Result>;
}

export interface TaskUsage {
  /** User and system time of the whole process, start-up included, seconds. */
  cpuS: number;
  /** Peak resident set (VmHWM on Linux), bytes. */
  peakRssBytes: number;
}

interface RunningTask<Result> {
  pid: number;
  /** Returns the argument of the task's `ready`; rejects when the task ends before. */
  ready: Promise<unknown>;
  stop(): void;
  done: Promise<{ result: Result; usage: TaskUsage }>;
}

export type TaskMessage =
  | { kind: "ready"; value: unknown }
  | { kind: "result"; result: unknown; usage: TaskUsage }
  | { kind: "error"; stack: string };

const defined = new Map<string, Task<unknown, unknown>>();

/** `file`: the calling module's `__filename`. */
export function defineTask<Parameters, Result>(
  file: string,
  name: string,
  run: Task<Parameters, Result>["run"],
): Task<Parameters, Result> {
  const task = { file, name, run };
  defined.set(name, task as Task<unknown, unknown>);
  return task;
}

export function definedTask(name: string): Task<unknown, unknown> {
  const task = defined.get(name);
  if (task === undefined) throw new Error(`no task is called ${name}`);
  return task;
}

/**
 * `execArgv`: flags of the task's Node, such as --cpu-prof. `logFile`: where the task and what it starts print to;
 * absent: where this process does.
 */
export function startTask<Parameters, Result>(
  task: Task<Parameters, Result>,
  parameters: Parameters,
  execArgv: readonly string[] = [],
  logFile?: string,
): RunningTask<Result> {
  const log = logFile === undefined ? "inherit" : openSync(logFile, "a");
  const child = fork(join(__dirname, "task-process.js"), [task.file, task.name, JSON.stringify(parameters)], {
    execArgv: [...execArgv],
    stdio: ["ignore", log, log, "ipc"],
  });
  if (log !== "inherit") closeSync(log);
  const ready = deferred<unknown>();
  const done = deferred<{ result: Result; usage: TaskUsage }>();
  ready.promise.catch(() => undefined);
  child.on("message", (message: TaskMessage) => {
    if (message.kind === "ready") ready.resolve(message.value);
    else if (message.kind === "result") done.resolve({ result: message.result as Result, usage: message.usage });
    else done.reject(new Error(`task ${task.name}: ${message.stack}`));
  });
  child.on("error", (error) => done.reject(error));
  child.on("close", (code, signal) => {
    const ended = new Error(`task ${task.name} ended with ${signal ?? `exit ${code}`}`);
    ready.reject(ended);
    done.reject(ended);
  });
  return {
    pid: child.pid ?? 0,
    ready: ready.promise,
    stop: () => {
      if (child.connected) child.send("stop");
    },
    done: done.promise,
  };
}

function deferred<T>() {
  let settle: { resolve: (value: T) => void; reject: (error: Error) => void } | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, resolve: settle!.resolve, reject: settle!.reject };
}

export function runTask<Parameters, Result>(
  task: Task<Parameters, Result>,
  parameters: Parameters,
  execArgv: readonly string[] = [],
): Promise<{ result: Result; usage: TaskUsage }> {
  return startTask(task, parameters, execArgv).done;
}

export interface Timed<T> {
  value: T;
  wallS: number;
  /** The CPU time of all threads of this process. */
  cpuS: number;
}

export async function timed<T>(work: () => T | Promise<T>): Promise<Timed<T>> {
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  const value = await work();
  const wallS = (performance.now() - before) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { value, wallS, cpuS: (user + system) / 1e6 };
}

/**
 * Peak resident set of this process. Not getrusage's where /proc is there: that one starts from the parent's at exec.
 */
export function peakRssBytes(): number {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    if (kibibytes !== undefined) return Number(kibibytes) * 1024;
  } catch {
    // No /proc on this system.
  }
  return process.resourceUsage().maxRSS * 1024;
}
