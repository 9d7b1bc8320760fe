// SPDX-License-Identifier: Apache-2.0
import { countByMinute, EventColumnsBuilder } from "../../../domain/columns/event-columns";
import { parseEvent, type VideoEvent } from "../../../domain/event";
import { ingestProducer } from "../../../intake/receipt";
import { encodeBatch } from "../../../io/formats/avro/batch";
import type { DeadLetters, EventLog } from "../../../io/ports";
import type { Step } from "./script";

export type SentStep = Extract<Step, { kind: "send" | "message" | "replay" }>;

/**
 * Ingests as the write API does: events that break the contract are dead letters, the rest one batch of the log,
 * durable.
 */
export async function ingest(
  step: SentStep,
  log: Pick<EventLog, "append">,
  deadLetters: Pick<DeadLetters, "append" | "list" | "markReplayed">,
): Promise<void> {
  const { receivedAtMs } = step;
  if (step.kind === "replay") return replay(step, log, deadLetters);
  if (step.kind === "message") {
    const start = { "not-avro": "Obj", "not-json": "{}", "unknown-schema": "\xc3\x01unknown!" }[step.reason];
    await log.append({ payload: Buffer.from(`${start}body`, "latin1"), events: 0, acceptedByMinute: new Map() });
    return;
  }
  const accepted = new EventColumnsBuilder();
  const sent = new EventColumnsBuilder();
  for (const { raw } of step.events) {
    const parsed = parseEvent(raw, { receivedAtMs, rawRetentionMs: 30 * 86_400_000 });
    if (parsed.ok) {
      accepted.add(parsed.event);
      sent.add(parsed.event);
    } else if (step.checked) {
      const { reason, detail, eventId } = parsed;
      const payload = Buffer.from(JSON.stringify(raw));
      const letter = {
        receivedAtMs,
        reason,
        detail,
        payload,
        contentType: "application/json",
        source: "ingest" as const,
      };
      await deadLetters.append([eventId === null ? letter : { ...letter, eventId }]);
    } else sent.add({ ...(raw as unknown as VideoEvent), eventTimeMs: Date.parse(String(raw.eventTime)) });
  }
  const acceptedByMinute = countByMinute(accepted.build());
  const payload = encodeBatch(sent.build(), { receivedAtMs, producerId: ingestProducer("golden"), batchId: "" });
  if (sent.size > 0) await log.append({ payload, events: accepted.size, acceptedByMinute });
}

/** Replays as `dead-letters replay` does: the events are sent unchanged, and received now. */
async function replay(
  { receivedAtMs, eventIds }: Extract<Step, { kind: "replay" }>,
  log: Pick<EventLog, "append">,
  deadLetters: Pick<DeadLetters, "append" | "list" | "markReplayed">,
): Promise<void> {
  const all = await deadLetters.list({ limit: 10_000, replayed: false });
  const letters = eventIds.map((eventId) => {
    const letter = all.find((each) => each.eventId === eventId);
    if (letter === undefined) throw new Error(`there is no dead letter of "${eventId}"`);
    return letter;
  });
  const events = letters.map(({ payload }) => ({
    raw: JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>,
  }));
  await ingest({ kind: "send", receivedAtMs, checked: true, events }, log, deadLetters);
  await deadLetters.markReplayed(
    letters.map(({ id }) => id),
    receivedAtMs,
  );
}
