// SPDX-License-Identifier: Apache-2.0
import { sdk } from "./sdk";

/**
 * Defect 10. A runner that received metrics under short ids asks for their meaning (instruction `monitoringInfos`). The
 * worker answers with an error, so Prism reports no metrics. Fix: answer from the worker's own short-id table; unknown
 * ids are left out.
 */
export function answerMonitoringInfos(): void {
  const prototype = sdk.worker.Worker.prototype;
  const handleRequest = prototype.handleRequest;
  prototype.handleRequest = async function (request) {
    if (request.request.oneofKind !== "monitoringInfos") return handleRequest.call(this, request);
    const known = this.metricsShortIdCache as unknown as { idToInfo: Map<string, unknown> };
    const ids: string[] = request.request.monitoringInfos.monitoringInfoId;
    const monitoringInfo = Object.fromEntries(
      ids
        .filter((id) => known.idToInfo.has(id))
        .map((id) => [id, this.metricsShortIdCache.asMonitoringInfo(id, new Uint8Array())]),
    );
    return this.controlChannel.write({
      instructionId: request.instructionId,
      error: "",
      response: { oneofKind: "monitoringInfos", monitoringInfos: { monitoringInfo } },
    });
  };
}
