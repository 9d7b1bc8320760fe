// SPDX-License-Identifier: Apache-2.0
import {
  type EventColumns,
  eventIdOf,
  eventJsonAt,
  selectRows,
  validateColumns,
} from "../domain/columns/event-columns";
import type { Rejection } from "../domain/rejection";
import { BatchFormatError, type DecodedBatch, decodeBatch } from "../io/formats/avro/batch";
import { extraProblem, oversizedName } from "./json/extra-fields";
import type { Receipt } from "./receipt";
import { JSON_TYPE, problem, tooManyEvents } from "./take-json";
import type { IntakeRules, RejectedEvent, Taken } from "./taken";

export const BATCH_CONTENT_TYPE = "application/vnd.viewmill.batch+avro";

/**
 * Judges `application/vnd.viewmill.batch+avro`, the columnar message. Where every event is accepted, the message itself
 * is passed on unchanged. A refused event becomes a JSON event of its own, which a person can read, patch and send
 * again. `receipt` computes the receipt from the batch. take-body.ts calls it for bodies of HTTP, and take-message.ts
 * for messages of the log.
 */
export function takeBatch(body: Buffer, receipt: (batch: DecodedBatch) => Receipt, rules: IntakeRules): Taken {
  let batch: DecodedBatch;
  try {
    batch = decodeBatch(body);
  } catch (error) {
    if (!(error instanceof BatchFormatError)) throw error;
    return problem(error.reason, error.message.slice(0, 200), body, BATCH_CONTENT_TYPE);
  }
  const { columns, producerId, batchId } = batch;
  const received = receipt(batch);
  // Events that the write API has accepted stay accepted, also for a reader with other limits.
  const { maxEvents } = rules.limits;
  if (columns.count > maxEvents && !received.alreadyAccepted) return tooManyEvents(maxEvents, body, BATCH_CONTENT_TYPE);
  const refused = refusedRows(columns, { ...rules, ...received });
  const events = { kind: "events" as const, ...received, producerId, batchId, stamps: [], stampedRows: [] };
  if (refused.size === 0) return { ...events, columns, rejected: [], message: body };
  const kept: number[] = [];
  for (let row = 0; row < columns.count; row++) if (!refused.has(row)) kept.push(row);
  const rejected = [...refused.values()].sort((a, b) => a.index - b.index);
  return {
    ...events,
    columns: selectRows(columns, kept),
    rejected: rejected.map((rejection) => withJson(columns, rejection, rules.limits.maxEventBytes)),
  };
}

function refusedRows(columns: EventColumns, rules: IntakeRules): Map<number, Rejection> {
  const refused = new Map(validateColumns(columns, rules).map((rejection) => [rejection.index, rejection]));
  if (rules.alreadyAccepted === true) return refused;
  for (const [row, text] of columns.extras ?? []) {
    const detail = extraProblem(text, rules.limits.maxEventBytes);
    if (detail === undefined || refused.has(row)) continue;
    refused.set(row, { index: row, eventId: eventIdOf(columns, row), reason: "too-large", detail });
  }
  return refused;
}

function withJson(columns: EventColumns, rejection: Rejection, maxEventBytes: number): RejectedEvent {
  const row = rejection.index;
  const letter = { payload: Buffer.from(eventJsonAt(columns, row)), contentType: JSON_TYPE };
  const names = [
    eventIdOf(columns, row),
    columns.videos[columns.videoIndex[row]!],
    columns.types[columns.typeIndex[row]!],
  ];
  const detail = oversizedName(names, maxEventBytes);
  return detail === undefined ? { ...rejection, ...letter } : { ...rejection, reason: "too-large", detail, ...letter };
}
