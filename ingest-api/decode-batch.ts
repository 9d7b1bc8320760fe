import { type EventColumns, eventIdOf, selectRows, validateColumns } from "../domain/event-columns";
import type { Rejection } from "../domain/rejection";
import { BatchFormatError, decodeBatch } from "../io/avro/batch";
import { extraProblem } from "../io/json/extra-fields";
import { type DecodeContext, type DecodedBody, type RejectedEvent, tooManyEvents } from "./decoded-body";

/**
 * `application/vnd.viewmill.batch+avro`: the columnar message. Where every event is good, the message itself goes on
 * as it came. A refused event becomes a JSON event of its own: that is what a person can read, patch and send again.
 */
export function decodeBatchMessage(body: Buffer, context: DecodeContext): DecodedBody {
  let columns: EventColumns;
  try {
    columns = decodeBatch(body).columns;
  } catch (error) {
    if (!(error instanceof BatchFormatError)) throw error;
    return { kind: "malformed", reason: error.reason, detail: error.message.slice(0, 200) };
  }
  if (columns.count > context.maxEvents) return tooManyEvents(context);
  const refused = refusedRows(columns, context);
  if (refused.size === 0) return { kind: "events", columns, rejected: [], stamps: [], message: body };
  const kept: number[] = [];
  for (let row = 0; row < columns.count; row++) if (!refused.has(row)) kept.push(row);
  const rejected = [...refused.values()].sort((a, b) => a.index - b.index);
  return {
    kind: "events",
    columns: selectRows(columns, kept),
    rejected: rejected.map((rejection) => withJson(columns, rejection)),
    stamps: [],
  };
}

function refusedRows(columns: EventColumns, context: DecodeContext): Map<number, Rejection> {
  const refused = new Map(validateColumns(columns, context.rules).map((rejection) => [rejection.index, rejection]));
  for (const [row, text] of columns.extras ?? []) {
    const detail = extraProblem(text, context.maxEventBytes);
    if (detail === undefined || refused.has(row)) continue;
    refused.set(row, { index: row, eventId: eventIdOf(columns, row), reason: "too-large", detail });
  }
  return refused;
}

function withJson(columns: EventColumns, rejection: Rejection): RejectedEvent {
  return { ...rejection, payload: Buffer.from(rowJson(columns, rejection.index)), contentType: "application/json" };
}

/** Put together as text: the extra fields may be nested deeper than JSON.stringify can follow. */
function rowJson(columns: EventColumns, row: number): string {
  const members = [`"eventId":${JSON.stringify(eventIdOf(columns, row))}`];
  const video = columns.videos[columns.videoIndex[row]!];
  if (video !== undefined) members.push(`"videoId":${JSON.stringify(video)}`);
  const type = columns.types[columns.typeIndex[row]!];
  if (type !== undefined) members.push(`"eventType":${JSON.stringify(type)}`);
  members.push(`"eventTime":${numberJson(columns.timesMs[row]!)}`);
  const value = columns.values?.[row];
  if (value !== undefined && !Number.isNaN(value)) members.push(`"value":${numberJson(value)}`);
  const extra = columns.extras?.get(row)?.trim().slice(1, -1).trim();
  // First, so that an extra field named like one of the contract does not hide it.
  if (extra !== undefined && extra !== "") members.unshift(extra);
  return `{${members.join(",")}}`;
}

/** A number beyond what JavaScript holds stays a number that is refused: as null it would be accepted on replay. */
const numberJson = (value: number): string => (Number.isFinite(value) ? String(value) : "1e400");
