// SPDX-License-Identifier: Apache-2.0
/** Rules for the text of a source, beyond its imports. */

export interface Source {
  /** From the root of the repository, with slashes. */
  path: string;
  text: string;
}

/** The only sources that read the process's environment and arguments; the test servers are a program of their own. */
const ENVIRONMENT_FILES = new Set(["cli/environment.ts"]);
const ENVIRONMENT_FOLDERS = new Set(["servers"]);
const CONSOLE_FOLDERS = new Set(["cli", "bench", "servers"]);
/** engine/ and client/ are packages that know no other room; the programs of a developer may count as they like. */
const WITHOUT_TIME = new Set(["engine", "client", "servers", "bench", "demo"]);
/** Commands take the whole configuration and give each room its slice; the demo makes the one of a cluster. */
const WHOLE_CONFIG = /^(?:cli\/(?:config|commands)|demo)\//;
const TIME_RULES = "domain/rules/time.ts";
const MAX_LINES = 500;

const LICENCE = "SPDX-License-Identifier: Apache-2.0";
const MAX_COLUMNS = 120;

/**
 * The rules for every source, whatever its room: its licence in the first lines, and comments of at most 120 columns.
 */
export function formProblems(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.split("\n");
    const found = lines.slice(0, 2).some((line) => line.includes(LICENCE)) ? [] : [`${path}: has no ${LICENCE}`];
    for (const [at, line] of lines.entries()) {
      if (line.length > MAX_COLUMNS && /^\s*(?:\*|\/\*|\/\/)/.test(line))
        found.push(`${path}:${at + 1}: a comment of ${line.length} columns, more than ${MAX_COLUMNS}`);
    }
    return found;
  });
}

/** Everything in the sources that the rules forbid: one line each, with the path. */
export function contentProblems(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const code = withoutTexts(withoutComments(text));
    return [...processProblems(path, code), ...roomProblems(path, text, code), ...sizeProblems(code)].map(
      (problem) => `${path}: ${problem}`,
    );
  });
}

function processProblems(path: string, code: string): string[] {
  const folder = path.split("/")[0]!;
  const found: string[] = [];
  if (!ENVIRONMENT_FILES.has(path) && !ENVIRONMENT_FOLDERS.has(folder)) {
    for (const [, what] of code.matchAll(/\bprocess\s*(?:\?\.|\.)\s*(env|argv)\b/g))
      found.push(`reads process.${what}`);
  }
  // The left side is read before the await: what others add meanwhile is lost.
  if (/[-+*|&]=\s*\(?\s*await\b/.test(code)) found.push("adds to what it read before an await");
  if (!CONSOLE_FOLDERS.has(folder) && /\bconsole\s*\./.test(code)) found.push("uses console");
  return found;
}

function roomProblems(path: string, text: string, code: string): string[] {
  const folder = path.split("/")[0]!;
  const found: string[] = [];
  if (folder === "domain") {
    if (/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\s*\./.test(code)) found.push("the domain reads the clock");
    if (/\bMath\.random\b|\brandom(?:UUID|Bytes|Int)\b|\bgetRandomValues\b/.test(code))
      found.push("the domain uses randomness");
  }
  if (folder === "client" && /^import (?!type ).*"(?:\.\.\/)+domain\//m.test(text))
    found.push("the client takes more than types from the domain");
  if (!WHOLE_CONFIG.test(path) && /^import (?:type )?\{[^}]*\bConfig\b[^}]*\} from "[./]*config\/schema"/m.test(text))
    found.push("takes the whole Config, where Settings<...> of its sections is enough");
  if (!WITHOUT_TIME.has(folder) && path !== TIME_RULES) {
    const twice =
      /\bconst (?:MINUTE|HOUR|DAY)_MS\b|\bconst (?:MINUTES|HOURS)_AN?_(?:HOUR|DAY)\b/.exec(code) ??
      /\b(?:60_?000|3_?600(?:_?000)?|86_?400(?:_?000)?|1_?440)\b|\/ 60\)|\/ 24\)/.exec(code);
    if (twice !== null) found.push(`"${twice[0]}" is in ${TIME_RULES} already`);
  }
  // A command of the program says in its description what it does, and a bench in its title.
  if (!/\/\*\*/.test(text) && !/^\s*(?:\.description\(|title: )|\.description\("/m.test(text))
    found.push("says nowhere what it is for: a doc comment is wanted");
  return found;
}

function sizeProblems(code: string): string[] {
  const lines = code.trimEnd().split("\n").length;
  return lines > MAX_LINES ? [`has ${lines} lines, more than ${MAX_LINES}`] : [];
}

/** Line breaks stay, so that lines can be counted. Texts are kept whole, whatever they hold. */
function withoutComments(text: string): string {
  const piece = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replace(piece, (found) => (found.startsWith("/") ? found.replace(/[^\n]/g, "") : found));
}

function withoutTexts(code: string): string {
  return code.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
}
