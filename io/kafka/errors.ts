// SPDX-License-Identifier: Apache-2.0
/** Failures of kafkajs. The adapters of this folder decide by their kind what they reject with. */

/**
 * The meaning of a kafkajs error for the caller.
 * - `too-large`: the broker refused the message for its size; it was not written, and never will be.
 * - `lost`: this member of the group is not (or no longer) the owner of the partition whose position it wanted to
 *   commit.
 * - `unavailable`: everything else; the outcome of a write may be unknown.
 */
type KafkaErrorKind = "too-large" | "lost" | "unavailable";

const KINDS: Record<string, KafkaErrorKind> = {
  MESSAGE_TOO_LARGE: "too-large",
  RECORD_LIST_TOO_LARGE: "too-large",
  ILLEGAL_GENERATION: "lost",
  UNKNOWN_MEMBER_ID: "lost",
  REBALANCE_IN_PROGRESS: "lost",
  FENCED_INSTANCE_ID: "lost",
};
const MAX_CAUSES = 10;

export function kindOf(error: unknown): KafkaErrorKind {
  let cause: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth++) {
    const kind = KINDS[(cause as { type?: string }).type ?? ""];
    if (kind !== undefined) return kind;
    cause = cause.cause;
  }
  return "unavailable";
}

export function messageOf(error: unknown): string {
  // Kafka's own words: "This server does not host this topic-partition".
  if ((error as { type?: string } | undefined)?.type === "UNKNOWN_TOPIC_OR_PARTITION")
    return "there is no such topic (viewmill kafka init makes it)";
  return error instanceof Error ? error.message : String(error);
}
