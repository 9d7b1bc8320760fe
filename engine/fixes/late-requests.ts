// SPDX-License-Identifier: Apache-2.0
import { sdk } from "./sdk";

/**
 * Defect 8. A runner asks for progress or a split on its own schedule, so a request may arrive after its bundle
 * finished. The worker answers with an error (for progress: with a TypeError of its own), and Prism fails the job on
 * it. Fix: answer "nothing to report" and "nothing split off".
 */
export function answerLateRequests(): void {
  const prototype = sdk.worker.Worker.prototype;
  const { progress, split } = prototype;
  prototype.progress = async function (request) {
    const { instructionId } = request.request.processBundleProgress;
    if (this.activeBundleProcessors.has(instructionId)) return progress.call(this, request);
    return {
      instructionId: request.instructionId,
      error: "",
      response: {
        oneofKind: "processBundleProgress",
        processBundleProgress: { monitoringInfos: [], monitoringData: {} },
      },
    };
  };
  prototype.split = async function (request) {
    const { instructionId } = request.request.processBundleSplit;
    if (this.activeBundleProcessors.has(instructionId)) return split.call(this, request);
    return {
      instructionId: request.instructionId,
      error: "",
      response: {
        oneofKind: "processBundleSplit",
        processBundleSplit: { primaryRoots: [], residualRoots: [], channelSplits: [] },
      },
    };
  };
}
