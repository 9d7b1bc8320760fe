// SPDX-License-Identifier: Apache-2.0
import type { Content } from "./content";
import { takeBatch } from "./take-batch";
import { takeBinaryCloudEvent, takeCloudEvents, takeJson } from "./take-json";
import { takeNdjson } from "./take-lines";
import type { IntakeRules, Taken } from "./taken";

/**
 * Judges a decompressed body of the write API. A batch is received now, whatever time it states. `Ingest.handle` calls
 * it, and so does the replay of dead letters.
 */
export function takeBody(body: Buffer, content: Content, rules: IntakeRules): Taken {
  switch (content.format) {
    case "json":
      return takeJson(body, rules);
    case "ndjson":
      return takeNdjson(body, rules);
    case "cloudevent":
      return takeCloudEvents(body, false, rules);
    case "cloudevents-batch":
      return takeCloudEvents(body, true, rules);
    case "cloudevent-binary":
      return takeBinaryCloudEvent(body, content, rules);
    case "batch":
      return takeBatch(body, () => ({ receivedAtMs: rules.receivedAtMs, alreadyAccepted: false }), rules);
    default:
      return content satisfies never;
  }
}
