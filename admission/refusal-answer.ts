// SPDX-License-Identifier: Apache-2.0
/**
 * The answers to requests that admission refuses, of the write API and the read API alike. A client that goes on beyond
 * its limit must cost the others little, so the header fields and the text are made once for a refusal, and each answer
 * differs in its instance alone.
 */
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { PROBLEM_CONTENT_TYPE, problemText } from "./problem";
import { ADMISSION_TITLES, type Refusal } from "./refusal";

/** Header fields, each name followed by its value. */
type Fields = readonly string[];

interface RefusalAnswer {
  fields: string[];
  /** The fields of the road on which the refusal was last answered, and both together. */
  road: Fields;
  all: string[];
  /** The text before the instance, and the one after it. */
  before: string;
  after: string;
  /** Text of ASCII has the same bytes in both, and Node writes Latin-1 with less work. */
  encoding: "latin1" | "utf8";
}

const INSTANCE = "urn:uuid:";
/** Stands for a UUID in the text that is parted there: no detail holds such a character. */
const GAP = "\u0000".repeat(36);
const NO_FIELDS: Fields = [];

/** Forgets an answer together with its refusal, which admission keeps for a moment or for ever. */
const answers = new WeakMap<Refusal, RefusalAnswer>();

function answerTo(refusal: Refusal): RefusalAnswer {
  const text = problemText(refusal, ADMISSION_TITLES, INSTANCE + GAP);
  const [before = "", after = ""] = text.split(JSON.stringify(GAP).slice(1, -1));
  const fields = ["Content-Type", PROBLEM_CONTENT_TYPE, "Cache-Control", "no-store"];
  for (const [name, value] of Object.entries(refusal.headers)) fields.push(name, value);
  const bytes = Buffer.byteLength(before) + GAP.length + Buffer.byteLength(after);
  fields.push("Content-Length", String(bytes));
  const encoding = bytes === before.length + GAP.length + after.length ? "latin1" : "utf8";
  return { fields, road: NO_FIELDS, all: fields, before, after, encoding };
}

/**
 * Writes the answer, and returns its instance. `road`: header fields of every answer on the request's road, where no
 * middleware has set them.
 */
export function sendRefusal(response: ServerResponse, refusal: Refusal, road: Fields = NO_FIELDS): string {
  let answer = answers.get(refusal);
  if (answer === undefined) {
    answer = answerTo(refusal);
    answers.set(refusal, answer);
  }
  if (answer.road !== road) {
    answer.road = road;
    answer.all = [...road, ...answer.fields];
  }
  const id = randomUUID();
  response.writeHead(refusal.status, answer.all);
  response.end(answer.before + id + answer.after, answer.encoding);
  return INSTANCE + id;
}
