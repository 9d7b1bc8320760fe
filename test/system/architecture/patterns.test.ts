// SPDX-License-Identifier: Apache-2.0
/**
 * No regular expression of a shipped room takes more than linear time on a text that was made to be slow (ReDoS): one
 * header of some kilobytes would stop an instance for minutes.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(__dirname, "..", "..", "..", "..");
const ROOMS = ["admission", "client", "domain", "ingest-api", "intake", "io", "query-api"];
/** Literals that follow what no division follows. */
const LITERAL = /(?<=[(=,:?[!&|;]\s*|return )\/(?![*/])((?:\[(?:\\.|[^\]\\\n])*\]|\\.|[^/\\\n[])+)\/([dgimsuvy]*)/g;
const PUMPS = [" ", "0", "a", "A", "/", ":", '"', "-", ".", "\\", "a ", "e:"];
/** Each step multiplies the time of an exponential, cubic or quadratic pattern by 5 to 64, so none takes minutes. */
const LENGTHS = [20, 24, 28, 32, 400, 700, 1_500, 6_000, 24_000];
const SLOW_MS = 150;
const ATTEMPTS = 2;

/** Patterns that read no stranger's text. */
const OWN_TEXTS: Record<string, string> = { "client/delivery.ts": "the address that the client's own user gives" };

interface Pattern {
  file: string;
  pattern: RegExp;
}

function patternsOf(file: string, text: string): Pattern[] {
  return [...text.matchAll(LITERAL)].map(([, source, flags]) => ({
    file,
    pattern: new RegExp(source!, flags!.replace(/[gy]/g, "")),
  }));
}

const sources = ROOMS.flatMap((room) =>
  readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !/(?:^|\/)(?:dist|node_modules)\//.test(file))
    .map((file) => join(room, file)),
);
const patterns = sources.flatMap((file) => patternsOf(file, readFileSync(join(ROOT, file), "utf8")));

/** Beginnings that a pattern asks for: its letters and marks, up to one of its repetitions after the other. */
function prefixes({ source }: RegExp): string[] {
  const pieces = source
    .replace(/\\[sdwpPbB](?:\{\w+\})?[*+?]*|\[(?:\\.|[^\]\\])*\][*+?]*|[\^$*+?|()]|\{[\d,]+\}/g, "\0")
    .replace(/\\(.)/g, "$1")
    .split("\0")
    .filter((piece) => piece !== "");
  return ["", ...pieces.map((_, at) => pieces.slice(0, at + 1).join(""))].slice(0, 5);
}

/** Endings that a pattern does not take: a character of its own that it forbids in a repetition, twice. */
function suffixes({ source }: RegExp): string[] {
  const forbidden = [...source.matchAll(/\[\^\\?(.)/g)].map(([, character]) => `${character}!${character}!`);
  return ["\n!\n", ...new Set(forbidden)];
}

/** Returns the text on which the pattern is slow, shortened, or undefined. */
function slowText(pattern: RegExp): string | undefined {
  for (const prefix of prefixes(pattern)) {
    for (const pump of PUMPS) {
      for (const suffix of suffixes(pattern)) {
        for (const length of LENGTHS) {
          const text = prefix + pump.repeat(length / pump.length) + suffix;
          if (isSlow(pattern, text)) return JSON.stringify(`${prefix}${pump}(x ${length})${suffix}`);
        }
      }
    }
  }
  return undefined;
}

/** The best of some attempts, because this process may wait for a processor. */
function isSlow(pattern: RegExp, text: string): boolean {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const startedAt = performance.now();
    pattern.exec(text);
    if (performance.now() - startedAt < SLOW_MS) return false;
  }
  return true;
}

it("no pattern is slow on a text of repetitions", { timeout: 120_000 }, () => {
  expect(patterns.length).toBeGreaterThan(80);
  const slow = patterns
    .filter(({ file }) => OWN_TEXTS[file] === undefined)
    .flatMap(({ file, pattern }) => {
      const text = slowText(pattern);
      return text === undefined ? [] : [`${file}: ${pattern} on ${text}`];
    });
  expect(slow).toEqual([]);
});

it.each([
  ["the parameter of a media type, as it was read before", /^\s*charset\s*=\s*"?([^"]*?)"?\s*$/i],
  ["nested repetitions", /^(?:a+)+$/],
  ["an ending that is looked for everywhere", /0+$/],
])("%s is found", (_what, pattern) => {
  expect(slowText(pattern)).toBeDefined();
});
