// SPDX-License-Identifier: Apache-2.0
import { sdk } from "./sdk";

/**
 * Defect 16. Runner.runAsync (and so run) does not pass its options argument to runPipeline. Fix: pass the argument.
 */
export function passRunOptions(): void {
  sdk.runner.Runner.prototype.runAsync = async function (build, options) {
    const pipeline = new sdk.pipeline.Pipeline();
    await build(new sdk.pvalue.Root(pipeline));
    return this.runPipeline(pipeline.getProto(), options);
  };
}
