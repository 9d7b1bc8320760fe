// SPDX-License-Identifier: Apache-2.0
/**
 * Questions and answers between this thread and one worker thread. The worker's file calls `answerFrom` with its
 * handlers; the owner calls `ThreadChannel.call`. When a worker dies, its unanswered calls reject with
 * `StoreUnavailableError`, and the next call starts a new worker. The log, the dead letters, the counters' writer and
 * the service's reader each have one.
 */
import { parentPort, type Transferable, Worker } from "node:worker_threads";
import { LogFullError, StoreUnavailableError } from "../ports/errors";

interface Question {
  id: number;
  method: string;
  argument: unknown;
}

interface Answer {
  id: number;
  value?: unknown;
  error?: { name: string; message: string; stack: string | undefined };
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class ThreadChannel {
  #worker: Worker | undefined;
  #nextId = 1;
  #started = 0;
  #waiting = new Map<number, Waiting>();

  /**
   * `file` is the absolute path of the compiled worker. `workerData` is given to every worker, and must be
   * structured-cloneable.
   */
  constructor(
    private readonly file: string,
    private readonly workerData: unknown,
  ) {}

  /** Rejects with the handler's error (error classes of the ports are kept) or with `StoreUnavailableError`. */
  call<T>(method: string, argument: unknown, transfer: readonly Transferable[] = []): Promise<T> {
    const worker = this.#running();
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      // A worker keeps the process alive only while a caller waits for it.
      if (this.#waiting.size === 1) worker.ref();
      worker.postMessage({ id, method, argument } satisfies Question, transfer);
    });
  }

  /** The number of the worker that the next `call` reaches: 1 for the first, larger after a worker has died. */
  worker(): number {
    this.#running();
    return this.#started;
  }

  /** Ends the worker after its current calls. The channel may be used again: it starts a new worker. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    await this.call("close", undefined).catch(() => undefined);
    if (this.#worker === worker) this.#worker = undefined;
    await worker.terminate();
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(this.file, { workerData: this.workerData });
    worker.unref();
    worker.on("message", (answer: Answer) => this.#settle(worker, answer));
    let cause: unknown;
    worker.on("error", (error) => {
      cause = error;
    });
    worker.on("exit", () => this.#died(worker, cause));
    this.#worker = worker;
    this.#started++;
    return worker;
  }

  #settle(worker: Worker, answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) worker.unref();
    if (answer.error === undefined) waiting.resolve(answer.value);
    else waiting.reject(revive(answer.error));
  }

  #died(worker: Worker, cause: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    const why = cause instanceof Error ? cause.message : "it ended";
    for (const one of waiting) one.reject(new StoreUnavailableError(`the store's thread died: ${why}`, { cause }));
  }
}

/** Runs in the worker: answers every call with the result or the error of the handler of that name. */
export function answerFrom(handlers: Record<string, (argument: never) => unknown>, close: () => unknown): void {
  const port = parentPort;
  if (port === null) throw new Error("answerFrom runs in a worker thread only");
  const failure = (error: unknown) => {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    return { name, message, stack };
  };
  port.on("message", ({ id, method, argument }: Question) => {
    try {
      const value = method === "close" ? close() : handlers[method]?.(argument as never);
      if (!(value instanceof Promise)) return port.postMessage({ id, value } satisfies Answer);
      value.then(
        (resolved: unknown) => port.postMessage({ id, value: resolved } satisfies Answer),
        (error: unknown) => port.postMessage({ id, error: failure(error) } satisfies Answer),
      );
    } catch (error) {
      port.postMessage({ id, error: failure(error) } satisfies Answer);
    }
  });
}

/** Errors lose their class between threads. */
function revive(error: { name: string; message: string; stack: string | undefined }): Error {
  const options = { cause: error.stack };
  if (error.name === "StoreUnavailableError") return new StoreUnavailableError(error.message, options);
  if (error.name === "LogFullError") return new LogFullError(error.message, options);
  if (error.name === "RangeError") return new RangeError(error.message, options);
  const other = new Error(error.message, options);
  other.name = error.name;
  return other;
}
