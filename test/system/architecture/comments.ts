// SPDX-License-Identifier: Apache-2.0
/** Comments of sources, for the suites of this folder that read them as prose. */

/** The folders whose comments the suites of this folder read. */
export const FOLDERS_OF_SOURCES = [
  ...["admission", "bench", "cli", "client", "dashboard", "demo", "domain", "engine", "ingest-api", "intake", "io"],
  ...["pipelines", "plan", "query-api", "scripts", "servers", "test", "transforms"],
];

export interface Comment {
  /** The number of the comment's first line, from 1. */
  line: number;
  /** The comment's words, without its marks. */
  text: string;
}

/** The comments of a source that have lines of their own; neighbouring line comments are one. */
export function comments(source: string): Comment[] {
  const lines = source.split("\n").map((line) => line.trim());
  const found: Comment[] = [];
  for (let at = 0; at < lines.length; at++) {
    const first = at;
    if (lines[at]!.startsWith("/*")) {
      while (!lines[at]!.includes("*/") && at + 1 < lines.length) at++;
    } else if (lines[at]!.startsWith("//")) {
      while (lines[at + 1]?.startsWith("//")) at++;
    } else continue;
    const words = lines.slice(first, at + 1).map((line) => line.replace(/^(?:\/\*\*?|\*\/|\*|\/\/)\s?|\*\/$/g, ""));
    found.push({ line: first + 1, text: words.join(" ").trim() });
  }
  return found;
}
