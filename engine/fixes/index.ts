// SPDX-License-Identifier: Apache-2.0
/** All fixes of the SDK, in the order in which they are applied. load.ts applies them in every process. */
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
 * The fixes in the order in which they have to run: the first runs before apache-beam is loaded, the second loads it,
 * and a wrapper runs after the function that it wraps.
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
 * Fixes the loaded SDK, once a process. engine/beam.ts calls it. A test that shows a defect of the stock package calls
 * it first, and leaves one fix out.
 */
export function applyFixes(leaveOut?: FixName): void {
  if (applied) return;
  applied = true;
  for (const [name, apply] of Object.entries(fixes)) if (name !== leaveOut) apply();
}
