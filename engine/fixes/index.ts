// SPDX-License-Identifier: Apache-2.0
import { awaitImpulse } from "./awaited-impulse";
import { forgetFinishedBundles } from "./consumer-leak";
import { loadPubSubWhenAsked } from "./late-pubsub";
import { answerLateRequests } from "./late-requests";
import { liftMessageSize } from "./message-size";
import { answerMonitoringInfos } from "./monitoring-infos";
import { defineRemovedUtil } from "./node-24";
import { codeNumbersExactly } from "./numbers";
import { awaitArtifactStatus } from "./offer-artifacts";
import { installPlainParDo } from "./plain-pardo";
import { silenceBundles } from "./quiet-bundles";
import { silenceInstructions } from "./quiet-worker";
import { passRunOptions } from "./run-options";
import { swapSinkBufferFirst } from "./silent-duplicates";
import { orderDataEvents } from "./silent-loss";
import { codeValuesExactly } from "./values";
import { sendWorkerId } from "./worker-id";
import { waitForControlChannel } from "./worker-wait";

/**
 * In the order they have to run: the first before apache-beam is loaded, the second loads it, a wrapper after what it
 * wraps.
 */
const fixes = {
  "node-24": defineRemovedUtil,
  "late-pubsub": loadPubSubWhenAsked,
  "message-size": liftMessageSize,
  numbers: codeNumbersExactly,
  values: codeValuesExactly,
  "silent-loss": orderDataEvents,
  "consumer-leak": forgetFinishedBundles,
  "silent-duplicates": swapSinkBufferFirst,
  "quiet-worker": silenceInstructions,
  "quiet-bundles": silenceBundles,
  "late-requests": answerLateRequests,
  "monitoring-infos": answerMonitoringInfos,
  "worker-wait": waitForControlChannel,
  "worker-id": sendWorkerId,
  "plain-pardo": installPlainParDo,
  "awaited-impulse": awaitImpulse,
  "offer-artifacts": awaitArtifactStatus,
  "run-options": passRunOptions,
} as const satisfies Record<string, () => void>;

export type FixName = keyof typeof fixes;

let applied = false;

/**
 * Repairs the loaded SDK, once a process. engine/beam.ts calls it; a test that shows what the stock package does calls
 * it first, leaving one fix out.
 */
export function applyFixes(leaveOut?: FixName): void {
  if (applied) return;
  applied = true;
  for (const [name, apply] of Object.entries(fixes)) if (name !== leaveOut) apply();
}
