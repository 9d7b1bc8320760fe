// SPDX-License-Identifier: Apache-2.0
import type { DoFn } from "apache-beam/transforms/pardo";
import type { WindowedValue } from "apache-beam/values";
import type { IOperator, OperatorContext, ProcessResult, Receiver } from "apache-beam/worker/operators";
import { StageError } from "../stage-error";
import { replaceOperator, sdk } from "./sdk";

/** The fields that the stock GenericParDoOperator's constructor sets. */
interface StockParDo extends IOperator {
  receiver: Receiver;
  doFn: DoFn<unknown, unknown, unknown>;
  originalContext: unknown;
  sideInputInfo: Map<string, import("apache-beam/worker/pardo_context").SideInputInfo>;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as PromiseLike<unknown>).then === "function";
}

function refusePromise(value: unknown, method: string): void {
  const asyncIterator = typeof value === "object" && value !== null && Symbol.asyncIterator in value;
  if (isThenable(value) || asyncIterator) {
    throw new TypeError(`${method} is asynchronous and nobody would await it: use awaitableParDo`);
  }
}

/**
 * Defect 20, with two more in the same class. The stock ParDo (a) reads a generator to its end however many of its
 * outputs returned a promise, so a source has no backpressure and every pending promise is kept; (b) passes a promise
 * on as an element, and drops the promise of an async startBundle, so that work continues after the bundle reported
 * success; (c) throws errors that name no stage. This operator reads the next output when the last one has been taken,
 * refuses promises, and names the stage.
 */
class PlainParDo implements IOperator {
  readonly transformId: string;
  private params!: InstanceType<typeof import("apache-beam/worker/pardo_context").ParamProviderImpl>;
  private context: unknown;

  constructor(
    private readonly stock: StockParDo,
    private readonly stage: string,
    private readonly operators: OperatorContext,
  ) {
    this.transformId = stock.transformId;
  }

  async startBundle(): Promise<void> {
    const { doFn, originalContext, sideInputInfo } = this.stock;
    const { getStateProvider, metricsContainer } = this.operators;
    this.params = new sdk.pardoContext.ParamProviderImpl(
      this.transformId,
      sideInputInfo,
      getStateProvider,
      metricsContainer,
    );
    this.context = this.params.augmentContext(originalContext);
    this.guard(() => refusePromise(doFn.startBundle?.(this.context), "startBundle"));
  }

  process(element: WindowedValue<unknown>): ProcessResult {
    if (this.context !== undefined && element.windows.length !== 1) {
      const result = new sdk.operators.ProcessResultBuilder();
      for (const window of element.windows) result.add(this.process({ ...element, windows: [window] }));
      return result.build();
    }
    const sideInputs = this.params.setCurrentValue(element);
    if (sideInputs === null) return this.run(element);
    return sideInputs.then(async () => {
      this.params.setCurrentValue(element);
      await this.run(element);
    });
  }

  async finishBundle(): Promise<void> {
    await this.finish();
    // An operator serves bundle after bundle, and must not keep the last element of this one until the next.
    this.params.setCurrentValue(undefined);
  }

  private async finish(): Promise<void> {
    const outputs = this.guard(() => {
      const returned = this.stock.doFn.finishBundle?.(this.context);
      refusePromise(returned, "finishBundle");
      return returned?.[Symbol.iterator]();
    });
    if (outputs === undefined) return;
    for (let next = this.guard(() => outputs.next()); !next.done; next = this.guard(() => outputs.next())) {
      const output = next.value;
      this.guard(() => refuseBareValue(output));
      await this.stock.receiver.receive(output);
    }
  }

  private run(element: WindowedValue<unknown>): ProcessResult {
    const outputs = this.guard(() => {
      const returned = this.stock.doFn.process(element.value, this.context);
      refusePromise(returned, "process");
      return returned?.[Symbol.iterator]();
    });
    return outputs === undefined ? null : this.drain(outputs, element);
  }

  /** Synchronous until an output is not taken at once; from then on awaits each output. */
  private drain(outputs: Iterator<unknown>, element: WindowedValue<unknown>): ProcessResult {
    for (;;) {
      const next = this.guard(() => outputs.next());
      if (next.done) return null;
      const taken = this.emit(next.value, element);
      if (taken !== null) return taken.then(() => this.resume(outputs, element));
    }
  }

  private async resume(outputs: Iterator<unknown>, element: WindowedValue<unknown>): Promise<void> {
    // Another element may have been processed while this one waited: the context is of one element at a time.
    this.params.setCurrentValue(element);
    await this.drain(outputs, element);
  }

  private emit(value: unknown, { windows, pane, timestamp }: WindowedValue<unknown>): ProcessResult {
    if (isThenable(value)) {
      throw new StageError(this.stage, new TypeError("a promise was emitted as an element: use awaitableParDo"));
    }
    return this.stock.receiver.receive({ value, windows, pane, timestamp });
  }

  private guard<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw StageError.from(this.stage, error);
    }
  }
}

function refuseBareValue(output: WindowedValue<unknown>): void {
  if (output?.windows === undefined || output.timestamp === undefined || output.pane === undefined) {
    throw new TypeError("finishBundle must yield windowed values: use windowedValue() of engine/bundle-output");
  }
}

/**
 * Installs PlainParDo, and stage names for the errors of the other ParDo kinds (timestamps, windows, tags). Every ParDo
 * of a worker runs as a PlainParDo.
 */
export function installPlainParDo(): void {
  replaceOperator("beam:transform:pardo:v1", (previous) => (id, transform, context) => {
    const operator = previous(id, transform, context);
    const { doFn } = sdk.runnerApi.ParDoPayload.fromBinary(transform.spec?.payload ?? new Uint8Array());
    if (doFn?.urn === sdk.urns.SERIALIZED_JS_DOFN_INFO) {
      return new PlainParDo(operator as StockParDo, transform.uniqueName, context);
    }
    const process = operator.process.bind(operator);
    operator.process = (element) => {
      try {
        return process(element);
      } catch (error) {
        throw StageError.from(transform.uniqueName, error);
      }
    };
    return operator;
  });
}
