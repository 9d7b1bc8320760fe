// SPDX-License-Identifier: Apache-2.0
/**
 * A kept answer as the text of a key: the time of Redis at which its reading began, a space, and the answer.
 * shared-answers.ts writes and reads keys with it.
 */

/** Longer answers are not kept. */
export const MAX_TEXT_CHARACTERS = 64 << 10;

interface KeptAnswer {
  /** Milliseconds by the clock of Redis. */
  since: number;
  text: string;
}

export const keptText = ({ since, text }: KeptAnswer): string => `${since} ${text}`;

/** Returns undefined for what is no kept answer. */
export function keptAnswer(reply: unknown): KeptAnswer | undefined {
  const [, since, text] = /^(\d+(?:\.\d+)?) (.*)$/s.exec(typeof reply === "string" ? reply : "") ?? [];
  return text === undefined ? undefined : { since: Number(since), text };
}

/** Returns the milliseconds of a reply to TIME: seconds and microseconds. Throws TypeError for anything else. */
export function timeMs(reply: unknown): number {
  const [seconds, microseconds] = Array.isArray(reply) ? reply.map(Number) : [];
  const timeMs = (seconds ?? Number.NaN) * 1_000 + (microseconds ?? Number.NaN) / 1_000;
  if (!Number.isFinite(timeMs)) throw new TypeError("Redis did not answer TIME as it should");
  return timeMs;
}
