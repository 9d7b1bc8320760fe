// SPDX-License-Identifier: Apache-2.0
import { isUtf8 } from "node:buffer";
import { REJECTION_REASONS, type RejectionReason } from "../domain/rejection";
import type { DeadLetter, LetterQuery } from "../io/ports";
import { plainJson, refused } from "./answer";
import { lettersSchema, replayAsked, replayedSchema } from "./dead-letter-schemas";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { nextTurn } from "./next-turn";
import { invalid } from "./problem";
import { nothingAsked } from "./schemas";

/** The number of letters of a reason that are counted. The answer says where there are more. */
const MAX_COUNTED = 1_000;
const MAX_SAMPLE_CHARACTERS = 500;
/** The number of letters of one replay. The caller gives the cursor back while letters are left. */
const MAX_REPLAYED = 500;
const MAX_NAMED = 20;

type Replay = NonNullable<QueryDependencies["replay"]>;

/**
 * Returns the endpoints of /v1/dead-letters; none where the service cannot send letters again. The dashboard and
 * operators list and replay letters with them.
 */
export function deadLetterEndpoints({ replay, clock }: QueryDependencies): Endpoint[] {
  return replay === undefined ? [] : [getDeadLetters(replay), postReplay(replay, clock)];
}

function getDeadLetters({ letters }: Replay): Endpoint {
  return endpoint({
    method: "get",
    path: "/v1/dead-letters",
    query: nothingAsked,
    operation: {
      operationId: "getDeadLetters",
      tag: "proof",
      scope: "operate",
      summary: "Refused events that wait for a replay, by reason, each with a sample",
      answer: lettersSchema,
      problems: [503],
    },
    async handle() {
      const reasons: object[] = [];
      for (const reason of REJECTION_REASONS) {
        const { count, newest } = await letters.waiting(reason, MAX_COUNTED + 1);
        if (newest === undefined) continue;
        const waiting = Math.min(count, MAX_COUNTED);
        reasons.push({ reason, waiting, more: count > MAX_COUNTED, sample: sampleOf(newest) });
        await nextTurn();
      }
      return plainJson({ reasons });
    },
  });
}

function postReplay(replay: Replay, clock: () => number): Endpoint {
  return endpoint({
    method: "post",
    path: "/v1/dead-letters/replay",
    query: nothingAsked,
    body: replayAsked,
    operation: {
      operationId: "replayDeadLetters",
      tag: "proof",
      scope: "operate",
      summary: "Sends the dead letters of a reason again, after a fix",
      description: `At most ${MAX_REPLAYED} of them, the oldest first; a \`cursor\` in the answer is given back for the next. An event keeps its eventId, so it counts once. What is refused again stays the letter that it is.`,
      answer: replayedSchema,
      problems: [400, 413, 415, 503],
    },
    async handle({ body: { reason, cursor } }) {
      if (cursor !== undefined && (await replay.letters.get(cursor)) === undefined)
        return refused(invalid("cursor: not one that an answer has given"));
      return plainJson(await replayed(replay, { reason, afterId: cursor }, clock));
    },
  });
}

interface AskedLetters {
  reason: RejectionReason;
  afterId: string | undefined;
}

async function replayed({ letters, again }: Replay, { reason, afterId }: AskedLetters, clock: () => number) {
  const examples: { id: string; detail: string }[] = [];
  let [accepted, refusals] = [0, 0];
  let lastId = afterId;
  for await (const letter of lettersOf(letters, { reason, afterId })) {
    lastId = letter.id;
    const detail = await again(letter);
    if (detail === undefined) {
      await letters.markReplayed([letter.id], clock());
      accepted++;
    } else if (refusals++ < MAX_NAMED) examples.push({ id: letter.id, detail });
  }
  // Fewer letters than that end where the store has no more.
  const isWhole = accepted + refusals < MAX_REPLAYED;
  const next = isWhole ? [] : await letters.list(waitingAfter({ reason, afterId: lastId }, 1));
  return { accepted, refused: refusals, examples, ...(next.length === 0 ? {} : { cursor: lastId }) };
}

/** Yields the first MAX_REPLAYED of the letters, and holds as many of them as the store gives at once. */
async function* lettersOf(letters: Replay["letters"], { reason, afterId }: AskedLetters): AsyncGenerator<DeadLetter> {
  let lastId = afterId;
  for (let left = MAX_REPLAYED; left > 0; ) {
    const page = await letters.list(waitingAfter({ reason, afterId: lastId }, left));
    if (page.length === 0) return;
    yield* page;
    left -= page.length;
    lastId = page.at(-1)!.id;
  }
}

function waitingAfter({ reason, afterId }: AskedLetters, limit: number): LetterQuery {
  return { limit, reason, replayed: false, ...(afterId === undefined ? {} : { afterId }) };
}

function sampleOf({ id, receivedAtMs, detail, eventId, payload }: DeadLetter): object {
  const bytes = Buffer.from(payload);
  const text = isUtf8(bytes) ? bytes.toString() : bytes.toString("base64");
  const receivedAt = new Date(receivedAtMs).toISOString();
  return { id, receivedAt, detail, ...(eventId && { eventId }), payload: text.slice(0, MAX_SAMPLE_CHARACTERS) };
}
