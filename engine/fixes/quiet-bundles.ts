// SPDX-License-Identifier: Apache-2.0
import { sdk } from "./sdk";

/**
 * Defect 6, second half. BundleProcessor.process prints a line (console.debug, which Node writes to stdout) for every
 * bundle. Fix: the same function without the line.
 */
export function silenceBundles(): void {
  sdk.worker.BundleProcessor.prototype.process = async function (instructionId) {
    const info = this.loggingStageInfo;
    this.metricsContainer.reset();
    this.currentBundleId = instructionId;
    info.instructionId = instructionId;
    sdk.logging.loggingLocalStorage.enterWith(info);
    // Consumers start before the operators that feed them, and finish after these.
    for (const operator of [...this.topologicallyOrderedOperators].reverse()) {
      info.transformId = operator.transformId;
      await operator.startBundle();
    }
    for (const operator of this.topologicallyOrderedOperators) {
      info.transformId = operator.transformId;
      await operator.finishBundle();
    }
    delete info.transformId;
    delete info.instructionId;
    delete this.currentBundleId;
    delete this.stateProvider;
  };
}
