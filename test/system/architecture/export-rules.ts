// SPDX-License-Identifier: Apache-2.0
/**
 * Every export has a user: another file, and for what runs in production not only a test. Imports and exports are read
 * from the text, which the formatter has made regular: a declaration begins at the start of a line, and an import is
 * one statement.
 */
import { posix } from "node:path";
import type { Source } from "./content-rules";

interface Use {
  path: string;
  name: string;
}

interface Module extends Source {
  /** Names that are declared and exported here. */
  declared: Set<string>;
  /** Exported name -> the file and the name that stand behind it. */
  passedOn: Map<string, Use>;
  /** Files whose every name is passed on. */
  passedOnWhole: string[];
  uses: Use[];
}

/** Any name of a file: where a whole module is held, the uses of its names cannot be told apart. */
const ANY = "*";

const DECLARATION =
  /^export (?:declare )?(?:default )?(?:async )?(?:abstract )?(?:function\*?|class|const|let|interface|type|enum) (\w+)/gm;
const PASSED_ON = /^export (?:type )?\{([^}]*)\} from "([^"]+)"/gm;
const PASSED_ON_WHOLE = /^export \* from "([^"]+)"/gm;
const IMPORT = /^import (?:type )?(?:\{([^}]*)\}|\* as (\w+)) from "([^"]+)"/gm;
const DYNAMIC =
  /(?:(?:const|let) (\{[^}]*\}|\w+) = )?\(?(?:await |typeof )*import\(\s*"([^"]+)",?\s*\)\)?(?:\.(\w+))?/g;
/** Programs and modules that are started, or replaced by the bundler, by their path. */
const BY_PATH = /["/]([\w-]+)(?:\.[jt]s)?"/g;
/** Classes and functions that the engine finds by their names in the module. */
const REGISTERED = /^register\(.*\bmodule\b/m;

/** The doors of the packages: whatever passes through them has users elsewhere. */
const PUBLIC = new Set(["engine/index.ts", "engine/dataflow/index.ts", "client/index.ts", "client/browser/index.ts"]);
/** Rooms that exist for tests and developers: a test is a user of theirs like any other. */
const DEVELOPMENT = /^(?:bench|demo|servers)\//;
const TESTS = /^test\//;

/** One line for each export that nobody outside its file uses, or, in production's rooms, tests alone. */
export function exportProblems(sources: readonly Source[]): string[] {
  const paths = new Set(sources.map(({ path }) => path));
  const programs = programsOf(paths);
  const modules = new Map(sources.map((source) => [source.path, moduleOf(source, paths, programs)]));
  const users = usersOf(modules);
  const found: string[] = [];
  for (const { path, text, declared, passedOn } of modules.values()) {
    if (TESTS.test(path) || !path.endsWith(".ts") || PUBLIC.has(path)) continue;
    for (const name of [...declared, ...passedOn.keys()]) {
      const by = [...(users.get(`${path} ${name}`) ?? []), ...(users.get(`${path} ${ANY}`) ?? [])];
      if (by.length === 0) found.push(`${path}: nobody but its own file uses the export ${name}`);
      else if (
        !DEVELOPMENT.test(path) &&
        declared.has(name) &&
        !isOfTests(text, name) &&
        by.every((user) => TESTS.test(user))
      )
        found.push(`${path}: tests alone use the export ${name}`);
    }
  }
  return found;
}

/** A type costs nothing at run time, and a bound or the name of a file is what a test goes up to. */
function isOfTests(text: string, name: string): boolean {
  return /^[A-Z][A-Z0-9_]*$/.test(name) || new RegExp(`^export (?:interface|type) ${name}\\b`, "m").test(text);
}

/** `path name` -> the files that use it, through whatever passes it on. */
function usersOf(modules: ReadonlyMap<string, Module>): Map<string, Set<string>> {
  const users = new Map<string, Set<string>>();
  const note = ({ path, name }: Use, user: string) => {
    const key = `${path} ${name}`;
    const known = users.get(key) ?? new Set();
    if (known.has(user)) return;
    users.set(key, known.add(user));
    const { passedOn = [], passedOnWhole = [] } = modules.get(path) ?? {};
    for (const [own, origin] of passedOn) if (own === name) note(origin, user);
    for (const whole of passedOnWhole) note({ path: whole, name }, user);
  };
  for (const { path, uses, passedOn, passedOnWhole } of modules.values()) {
    for (const use of uses) note(use, path);
    if (!PUBLIC.has(path)) continue;
    for (const origin of passedOn.values()) note(origin, path);
    for (const whole of passedOnWhole)
      for (const name of namesIn(modules.get(whole))) note({ path: whole, name }, path);
  }
  return users;
}

function namesIn(module: Module | undefined): string[] {
  return module === undefined ? [] : [...module.declared, ...module.passedOn.keys()];
}

function moduleOf({ path, text }: Source, paths: ReadonlySet<string>, programs: Programs): Module {
  const module: Module = { path, text, declared: new Set(), passedOn: new Map(), passedOnWhole: [], uses: [] };
  const use = (from: string, name: string) => {
    const target = targetOf(path, from, paths);
    if (target !== undefined) module.uses.push({ path: target, name });
  };
  for (const [, name] of text.matchAll(DECLARATION)) module.declared.add(name!);
  for (const [, list, from] of text.matchAll(PASSED_ON)) {
    const target = targetOf(path, from!, paths);
    if (target !== undefined)
      for (const [theirs, own] of namesOf(list!)) module.passedOn.set(own, { path: target, name: theirs });
  }
  for (const [, from] of text.matchAll(PASSED_ON_WHOLE)) {
    const target = targetOf(path, from!, paths);
    if (target !== undefined) module.passedOnWhole.push(target);
  }
  for (const [, list, space, from] of text.matchAll(IMPORT)) {
    for (const [name] of namesOf(list ?? "")) use(from!, name);
    if (space === undefined) continue;
    for (const [, member] of text.matchAll(new RegExp(`\\b${space}\\.(\\w+)`, "g"))) use(from!, member!);
    if (new RegExp(`\\b${space}\\b(?!\\.)`).test(text.replace(IMPORT, ""))) use(from!, ANY);
  }
  for (const [, held, from, member] of text.matchAll(DYNAMIC)) {
    if (member !== undefined && member !== "then") use(from!, member);
    else if (held?.startsWith("{")) for (const [name] of namesOf(held.slice(1, -1), /\s*:\s*/)) use(from!, name);
    else use(from!, ANY);
  }
  for (const [, base] of text.matchAll(BY_PATH))
    for (const each of programs.get(base!) ?? []) if (each !== path) module.uses.push({ path: each, name: ANY });
  if (REGISTERED.test(text))
    for (const name of module.declared) module.uses.push({ path, name: isOfTests(text, name) ? "" : name });
  return module;
}

/** Modules whose path is in somebody's text: the worker's module, and what the browser has in place of a package. */
const IS_PROGRAM = /^cli\/programs\/worker-resources|^client\/browser\//;

/** Name of a file without its ending -> the programs of that name. */
type Programs = ReadonlyMap<string, readonly string[]>;

function programsOf(paths: ReadonlySet<string>): Programs {
  const programs = new Map<string, string[]>();
  for (const path of paths) {
    if (!IS_PROGRAM.test(path)) continue;
    const base = posix.basename(path).replace(/\.ts$/, "");
    programs.set(base, [...(programs.get(base) ?? []), path]);
  }
  return programs;
}

/** `a, type b, c as d` -> the names as the other file has them, and as this one does. */
function namesOf(list: string, as = /\s+as\s+/): [theirs: string, own: string][] {
  return list
    .split(",")
    .map((each) => each.trim().replace(/^type /, ""))
    .filter((each) => each !== "")
    .map((each) => {
      const [theirs = "", own = theirs] = each.split(as);
      return [theirs.trim(), own.trim()];
    });
}

function targetOf(from: string, to: string, paths: ReadonlySet<string>): string | undefined {
  if (!to.startsWith(".")) return undefined;
  const bare = posix.join(posix.dirname(from), to).replace(/\.js$/, "");
  return [`${bare}.ts`, `${bare}.tsx`, `${bare}/index.ts`].find((each) => paths.has(each));
}
