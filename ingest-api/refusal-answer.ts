// SPDX-License-Identifier: Apache-2.0
/**
 * The answers to requests that admission refuses. A client that goes on beyond its limit must cost the others little,
 * so `Ingest` makes the header fields and the text once for a refusal, and each answer differs in its instance alone.
 */
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Refusal } from "../admission/refusal";
import { PROBLEM_CONTENT_TYPE, problemBody } from "./problem";

interface RefusalAnswer {
  fields: string[];
  /** The text before the instance, and the one after it. */
  before: string;
  after: string;
}

const INSTANCE = "urn:uuid:";
/** Stands for a UUID in the text that is parted there: no detail holds such a character. */
const GAP = "\u0000".repeat(36);

/** Forgets an answer together with its refusal, which admission keeps for a moment or for ever. */
const answers = new WeakMap<Refusal, RefusalAnswer>();

function answerTo(refusal: Refusal): RefusalAnswer {
  const [before = "", after = ""] = problemBody(refusal, INSTANCE + GAP).split(JSON.stringify(GAP).slice(1, -1));
  const fields = ["Content-Type", PROBLEM_CONTENT_TYPE, "Cache-Control", "no-store"];
  for (const [name, value] of Object.entries(refusal.headers)) fields.push(name, value);
  fields.push("Content-Length", String(Buffer.byteLength(before) + GAP.length + Buffer.byteLength(after)));
  return { fields, before, after };
}

/** Writes the answer, and returns its instance. */
export function sendRefusal(response: ServerResponse, refusal: Refusal): string {
  let answer = answers.get(refusal);
  if (answer === undefined) {
    answer = answerTo(refusal);
    answers.set(refusal, answer);
  }
  const id = randomUUID();
  response.writeHead(refusal.status, answer.fields);
  response.end(answer.before + id + answer.after);
  return INSTANCE + id;
}
