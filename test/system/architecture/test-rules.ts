// SPDX-License-Identifier: Apache-2.0
/**
 * Tests mirror the source tree: `test/P` holds the tests of the folder `P`, and each of them reaches a source below
 * `P`. `test/system/` holds the tests of the whole, which no folder of the source could hold; test/README.md says what
 * each of its folders is for.
 */
import { posix } from "node:path";
import type { Source } from "./content-rules";

const SYSTEM = /^system(?:\/|$)/;
/** Programs that the tests of a folder start, and data that they read. */
const INNER = /\/(?:children|fixtures)$/;

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
    if (SYSTEM.test(mirrored)) return [];
    if (!folders.has(mirrored)) return [`${path}: there is no folder ${mirrored} that it could test`];
    const [room] = mirrored.split("/");
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
