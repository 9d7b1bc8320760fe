// SPDX-License-Identifier: Apache-2.0
import type { IOperator, ProcessResult, Receiver } from "apache-beam/worker/operators";
import type { AwaitableParDoPayload } from "./awaitable-dofn";
import type { WindowedValue } from "./beam";
import { StageError } from "./stage-error";

/**
 * Runs an AwaitableDoFn, one bundle at a time. The worker drops the operator of a failed bundle with its processor. A
 * worker makes one for each stage that awaitableParDo built.
 */
export class AwaitableParDoOperator implements IOperator {
  private inFlight = 0;
  private failure: StageError | undefined;
  /** Called once, when the next element ends. */
  private waiting: (() => void)[] = [];
  /**
   * The output that the receiver has not taken yet. Outputs are sent one at a time, as a synchronous ParDo would send
   * them.
   */
  private emitting: Promise<void> | undefined;

  constructor(
    readonly transformId: string,
    private readonly stage: string,
    private readonly receiver: Receiver,
    private readonly payload: AwaitableParDoPayload,
  ) {}

  async startBundle(): Promise<void> {
    this.inFlight = 0;
    this.failure = undefined;
    this.waiting = [];
    this.emitting = undefined;
    await this.named(async () => this.payload.doFn.startBundle?.());
  }

  process(element: WindowedValue<unknown>): ProcessResult {
    if (element.windows.length !== 1) return this.processEachWindow(element);
    if (this.failure !== undefined) throw this.failure;
    // A caller that does not await the returned promise (the SDK has some) must queue here, so that the bound holds for
    // every caller.
    if (this.inFlight >= this.payload.maxInFlight)
      return this.whenFree().then(() => this.process(element) ?? undefined);
    this.launch(element);
    return this.inFlight < this.payload.maxInFlight ? null : this.whenFree();
  }

  async finishBundle(): Promise<void> {
    while (this.inFlight > 0) await this.nextEnd();
    if (this.failure !== undefined) throw this.failure;
    const outputs = await this.named(async () => this.payload.doFn.finishBundle?.());
    if (!outputs) return;
    await this.named(async () => {
      for await (const output of outputs) await this.emit(output);
    });
  }

  private async processEachWindow(element: WindowedValue<unknown>): Promise<void> {
    for (const window of element.windows) await this.process({ ...element, windows: [window] });
  }

  private launch(element: WindowedValue<unknown>): void {
    this.inFlight += 1;
    this.run(element)
      .catch((error) => {
        this.failure ??= StageError.from(this.stage, error);
      })
      .finally(() => {
        this.inFlight -= 1;
        const waiting = this.waiting;
        this.waiting = [];
        for (const wake of waiting) wake();
      });
  }

  private async run({ value, windows, timestamp, pane }: WindowedValue<unknown>): Promise<void> {
    const [window] = windows;
    if (window === undefined) return;
    const outputs = await this.payload.doFn.process(value, { window, timestamp, pane });
    if (!outputs) return;
    for await (const output of outputs) await this.emit({ value: output, windows, timestamp, pane });
  }

  private async emit(output: WindowedValue<unknown>): Promise<void> {
    while (this.emitting !== undefined) await this.emitting;
    const taken = this.receiver.receive(output);
    if (taken === null) return;
    this.emitting = taken.finally(() => {
      this.emitting = undefined;
    });
    await this.emitting;
  }

  private async whenFree(): Promise<void> {
    while (this.failure === undefined && this.inFlight >= this.payload.maxInFlight) await this.nextEnd();
    if (this.failure !== undefined) throw this.failure;
  }

  private nextEnd(): Promise<void> {
    return new Promise((wake) => {
      this.waiting.push(wake);
    });
  }

  private async named<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw StageError.from(this.stage, error);
    }
  }
}
