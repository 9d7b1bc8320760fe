// SPDX-License-Identifier: Apache-2.0
import { sdk } from "./sdk";

/**
 * Defect 6. The worker prints every instruction (console.log in handleRequest and in split): at hundreds of bundles a
 * second this is most of its output and a measurable part of its time. Fix: the same dispatch without printing.
 */
export function silenceInstructions(): void {
  const prototype = sdk.worker.Worker.prototype;
  prototype.handleRequest = async function (request) {
    const { instructionId } = request;
    try {
      switch (request.request.oneofKind) {
        case "processBundle":
          return await this.process(request);
        case "processBundleProgress":
          return this.controlChannel.write(await this.progress(request));
        case "processBundleSplit":
          return this.controlChannel.write(await this.split(request));
        default:
          throw new Error(`Unknown instruction type: ${request.request.oneofKind}`);
      }
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? String(error)) : String(error);
      return this.controlChannel.write({ instructionId, error: text, response: { oneofKind: undefined } });
    }
  };
  prototype.split = async function (request) {
    const { instructionId } = request.request.processBundleSplit;
    const processor = this.activeBundleProcessors.get(instructionId);
    if (processor === undefined) throw new Error(`Unknown process bundle: ${instructionId}`);
    return {
      instructionId: request.instructionId,
      error: "",
      response: {
        oneofKind: "processBundleSplit",
        processBundleSplit: processor.split(request.request.processBundleSplit),
      },
    };
  };
}
