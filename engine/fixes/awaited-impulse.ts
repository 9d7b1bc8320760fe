// SPDX-License-Identifier: Apache-2.0
import type { WindowedValue } from "apache-beam/values";
import type { IOperator, ProcessResult, Receiver } from "apache-beam/worker/operators";
import { replaceOperator, sdk } from "./sdk";

/**
 * Defect 19. The direct runner's impulse does not await the result of its element, so asynchronous work below a source
 * runs after the bundle has finished, and its errors are lost. Fix: await the result.
 */
export function awaitImpulse(): void {
  void sdk.directRunner; // registers the operator that is replaced here
  replaceOperator("beam:transform:impulse:v1", (previous) => (id, transform, context) => {
    const { receiver } = previous(id, transform, context) as unknown as { receiver: Receiver };
    return new AwaitedImpulse(id, receiver);
  });
}

class AwaitedImpulse implements IOperator {
  constructor(
    readonly transformId: string,
    private readonly receiver: Receiver,
  ) {}

  async startBundle(): Promise<void> {
    const { GlobalWindow } = sdk.values;
    const element: WindowedValue<unknown> = {
      value: new Uint8Array(),
      windows: [new GlobalWindow()],
      pane: sdk.requiredCoders.PaneInfoCoder.ONE_AND_ONLY_FIRING,
      timestamp: sdk.long.fromString("-9223372036854775"),
    };
    await this.receiver.receive(element);
  }

  process(): ProcessResult {
    return null;
  }

  async finishBundle(): Promise<void> {}
}
