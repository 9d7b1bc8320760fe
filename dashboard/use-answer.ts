// SPDX-License-Identifier: Apache-2.0
/** How a page keeps an answer of the read API up to date. Every page that does not tick uses it. */
import { useEffect, useState } from "preact/hooks";

type Answered<Value> = { value: Value | undefined; problem: string | undefined };

/**
 * Asks at once, and again every `everyMs`. An answer to an earlier question never replaces one to a later; while a
 * question fails the last answer stays, with the problem beside it.
 */
export function useAnswer<Value>(ask: () => Promise<Value>, everyMs: number, question: string): Answered<Value> {
  const [answered, setAnswered] = useState<Answered<Value> & { question: string }>({
    value: undefined,
    problem: undefined,
    question,
  });
  // The question says in words what `ask` asks: a new one is asked at once.
  useEffect(() => {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const turn = async () => {
      try {
        const value = await ask();
        if (!stopped) setAnswered({ value, problem: undefined, question });
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        if (!stopped)
          setAnswered((before) => ({
            ...(before.question === question ? before : { value: undefined, question }),
            problem,
          }));
      }
      if (!stopped) timer = setTimeout(turn, everyMs);
    };
    void turn();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [question, everyMs]);
  return answered.question === question ? answered : { value: undefined, problem: undefined };
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const changed = () => setMatches(list.matches);
    list.addEventListener("change", changed);
    return () => list.removeEventListener("change", changed);
  }, [query]);
  return matches;
}
