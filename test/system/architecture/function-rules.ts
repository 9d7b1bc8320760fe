// SPDX-License-Identifier: Apache-2.0
/** The rule for the length of functions in tests. Biome holds the sources, and cannot tell a suite from a function. */
import type { Source } from "./content-rules";

/** The same bound as in biome.json. */
const MAX_LINES = 70;
const FUNCTION = /^(?:ArrowFunctionExpression|FunctionExpression|FunctionDeclaration)$/;
/** `describe`, its `each` and `concurrent`, and the project's own, such as `describeWithServers`. */
const SUITE = /^describe(?:[A-Z]|$)/;

interface Node {
  type: string;
  start: number;
  end: number;
}

interface Lines {
  first: number;
  last: number;
}

interface Found {
  functions: Lines[];
  suites: Lines[];
}

/**
 * Returns one line for each function that is longer than 70 lines. The body of a `describe` is a list of tests, so it
 * counts without the functions in it, and a function that makes a suite counts without that suite.
 */
export async function functionProblems(sources: readonly Source[]): Promise<string[]> {
  const { parseAst } = await import("vitest/node");
  return sources.flatMap(({ path, text }) => {
    const found: string[] = [];
    const lineOf = lineNumbers(text);
    if (lineOf(text.length) <= MAX_LINES) return found;
    /** Visits a node, and adds the outermost functions and the outermost suites at or below it. */
    const visit = (node: Node, suite: boolean, outer: Found) => {
      const isFunction = FUNCTION.test(node.type);
      const inner = isFunction ? { functions: [], suites: [] } : outer;
      for (const child of childrenOf(node)) visit(child, isSuite(node) && FUNCTION.test(child.type), inner);
      if (!isFunction) return;
      const own = { first: lineOf(node.start), last: lineOf(node.end) };
      const lines = linesOf(own) - linesOfAll(suite ? inner.functions : inner.suites);
      if (lines > MAX_LINES)
        found.push(`${path}:${own.first}: a ${suite ? "suite" : "function"} of ${lines} lines, more than ${MAX_LINES}`);
      outer.functions.push(own);
      outer.suites.push(...(suite ? [own] : inner.suites));
    };
    visit(parseAst(text, { lang: "ts" }, path) as Node, false, { functions: [], suites: [] });
    return found;
  });
}

const linesOf = ({ first, last }: Lines): number => last - first + 1;

/** Counts each line once, although neighbours may share one. */
function linesOfAll(all: readonly Lines[]): number {
  let [lines, through] = [0, 0];
  for (const { first, last } of [...all].sort((a, b) => a.first - b.first)) {
    lines += linesOf({ first: Math.max(first, through + 1), last });
    through = last;
  }
  return lines;
}

function* childrenOf(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    for (const each of Array.isArray(value) ? value : [value])
      if (typeof (each as Node | null)?.type === "string") yield each as Node;
  }
}

/** Returns whether the node calls `describe`, or what `describe.each` returns. */
function isSuite(node: Node): boolean {
  if (node.type !== "CallExpression") return false;
  let callee = (node as Node & { callee: Node }).callee as Node & Record<string, unknown>;
  for (;;) {
    const inner = { CallExpression: "callee", MemberExpression: "object", TaggedTemplateExpression: "tag" }[
      callee.type
    ];
    if (inner === undefined) return callee.type === "Identifier" && SUITE.test(callee.name as string);
    callee = callee[inner] as typeof callee;
  }
}

/** Returns the function that finds the line of an offset, from 1. */
function lineNumbers(text: string): (offset: number) => number {
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
