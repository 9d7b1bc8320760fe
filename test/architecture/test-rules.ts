// SPDX-License-Identifier: Apache-2.0
/**
 * Tests mirror the source tree: `test/P` holds the tests of the folder `P`, and each of them reaches a source below
 * `P`. What no folder of the source could hold is in a folder of WHOLES.
 */
import { posix } from "node:path";
import type { Source } from "./content-rules";

/** Folders of tests without a folder of the source, and why they have none. */
export const WHOLES: Record<string, string> = {
  architecture: "rules for the text of every source",
  cluster: "a whole deployment on Kafka or Pub/Sub, Flink, Bigtable and a bucket",
  contracts: "the suites of the ports, run by every adapter, and by the adapters of one machine from here",
  dataflow: "what Google Dataflow is given: from the command line through the graph to the engine's runner",
  "direct-producers": "topics that others write, through every program that reads them",
  "end-to-end": "the service as a process, over HTTP",
  fuzz: "random bytes at every place where bytes come in",
  golden: "one scripted history on every runner, with the counts that it must give",
  images: "the images of docker/, built and started",
  packages: "engine/ and client/ as npm packs them",
  "supply-chain": "licences and the bill of materials of everything installed",
  "two-of-everything": "two of each process behind a balancer",
};
/** Below a folder of tests: programs that a test starts, data, and what needs a Flink cluster. */
const INNER = /\/(?:children|fixtures|corpus|flink|scripts|audited)$/;

/** One line for each file of tests whose folder mirrors no folder of the source, or that does not reach it. */
export function mirrorProblems(
  tests: readonly Source[],
  { rooms, folders }: { rooms: readonly string[]; folders: ReadonlySet<string> },
): string[] {
  const known = new Map(tests.map((source) => [source.path, source]));
  return tests.flatMap(({ path }) => {
    const folder = posix.dirname(path).replace(INNER, "");
    if (folder === "test") return [];
    const mirrored = folder.slice("test/".length);
    const [room] = mirrored.split("/");
    if (Object.hasOwn(WHOLES, room!)) return [];
    if (!folders.has(mirrored)) return [`${path}: there is no folder ${mirrored} that it could test`];
    const reached = !path.endsWith(".test.ts") || !rooms.includes(room!) || reaches(path, mirrored, known);
    return reached ? [] : [`${path}: reaches nothing of ${mirrored}`];
  });
}

/** Goes through the imports, and through those of other files of tests; a program is named by the parts of its path. */
function reaches(path: string, folder: string, known: ReadonlyMap<string, Source>, seen = new Set<string>()): boolean {
  const text = known.get(path)?.text;
  if (text === undefined || seen.has(path)) return false;
  seen.add(path);
  const [room] = folder.split("/");
  if (new RegExp(`(?:__dirname(?:, "\\.\\.")+|ROOT, "dist"), "${room}", "`).test(text)) return true;
  return [...text.matchAll(/(?:from |import\()"(\.[^"]+)"/g)].some(([, target]) => {
    const to = posix.join(posix.dirname(path), target!);
    if (to === folder || to.startsWith(`${folder}/`)) return true;
    return reaches(`${to.replace(/\.js$/, "")}.ts`, folder, known, seen);
  });
}
