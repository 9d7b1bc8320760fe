import { posix } from "node:path";

export interface Source {
  /** From the root of the repository, with slashes. */
  path: string;
  text: string;
}

/** What the sources of a folder may import of the others: folders, or folders and files below them. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  domain: [],
  engine: [],
  io: ["domain"],
  intake: ["domain", "io/ports", "io/formats"],
  transforms: ["domain", "engine", "io/ports", "io/formats", "intake"],
  pipelines: ["domain", "engine", "io/ports", "io/formats", "io/flow", "transforms", "intake"],
  admission: ["domain", "io/ports"],
  "ingest-api": ["domain", "io/ports", "io/formats", "intake", "admission"],
  "query-api": ["domain", "io/ports", "io/formats", "admission"],
  client: [],
  plan: ["domain"],
  cli: [
    "domain",
    "engine",
    "io",
    "intake",
    "transforms",
    "pipelines",
    "admission",
    "ingest-api",
    "query-api",
    "client",
    "plan",
  ],
  servers: ["io/sqlite/data-folder"],
  demo: ["domain", "engine", "io", "cli", "servers"],
  bench: [
    "domain",
    "engine",
    "io",
    "intake",
    "transforms",
    "pipelines",
    "admission",
    "ingest-api",
    "query-api",
    "client",
    "cli",
    "servers",
    "demo",
  ],
};

/** What a folder may import with `import type` only: nothing of it is there at run time, so the client stays free of everything else. */
const MAY_IMPORT_TYPES: Record<string, readonly string[]> = { client: ["domain"] };
/** The SDK's own copy of a package, resolved from the SDK. */
const SDK_PACKAGES: Record<string, readonly string[]> = { engine: ["protobufjs"] };

/** The rooms of io/ that every adapter may use: the ports, the formats of the wire and of files, and flow control. Adapters know nothing of each other. */
const SHARED_IO = ["io/ports", "io/formats", "io/flow"];
/** The only sources that read the process's environment and arguments; the test servers are a program of their own. */
const ENVIRONMENT_FILES = new Set(["cli/environment.ts"]);
const ENVIRONMENT_FOLDERS = new Set(["servers"]);
const CONSOLE_FOLDERS = new Set(["cli", "bench", "servers"]);
const MAX_LINES = 500;

/** Everything the sources do that the arrows forbid: one line each, with the path. */
export function problems(sources: readonly Source[], declared: readonly string[]): string[] {
  return sources.flatMap((source) => {
    const code = withoutComments(source.text);
    return [...importProblems(source.path, code, declared), ...contentProblems(source.path, withoutTexts(code))].map(
      (problem) => `${source.path}: ${problem}`,
    );
  });
}

/** Every module the code imports, whichever way, with the names it takes where they can be seen. */
function imports(code: string): { module: string; names: string }[] {
  const found: { module: string; names: string }[] = [];
  for (const [, names, module] of code.matchAll(/\b(?:import|export)\b([^;"'`]*?)\bfrom\s*["']([^"']+)["']/g)) {
    found.push({ module: module!, names: names! });
  }
  for (const [, module] of code.matchAll(/\b(?:import|require|require\.resolve)\s*\(\s*["'`]([^"'`]+)["'`]/g)) {
    found.push({ module: module!, names: "" });
  }
  for (const [, module] of code.matchAll(/\bimport\s*["']([^"']+)["']/g)) found.push({ module: module!, names: "" });
  return found;
}

function importProblems(path: string, code: string, declared: readonly string[]): string[] {
  const folder = path.split("/")[0]!;
  const found: string[] = [];
  for (const { module, names } of imports(code)) {
    if (module.startsWith(".")) {
      const problem = ownImportProblem(path, folder, posix.join(posix.dirname(path), module), /^\s*type\b/.test(names));
      if (problem !== undefined) found.push(problem);
      continue;
    }
    if (module === "node:process" || module === "process") found.push("process is imported: use cli/environment.ts");
    if (folder === "domain") found.push(...domainImportProblems(module, names));
    if (module.startsWith("node:")) continue;
    const name = packageName(module);
    if (name === "apache-beam" && folder !== "engine") found.push("apache-beam is imported outside of engine/");
    if (!declared.includes(name) && !SDK_PACKAGES[folder]?.includes(name) && folder !== "bench")
      found.push(`${name} is not declared as a dependency`);
  }
  return found;
}

function ownImportProblem(path: string, folder: string, target: string, typeOnly: boolean): string | undefined {
  const into = target.split("/");
  if (target.endsWith(".json")) return undefined;
  if (into[0] !== folder) {
    const allowed = [...(MAY_IMPORT[folder] ?? []), ...((typeOnly && MAY_IMPORT_TYPES[folder]) || [])];
    return allowed.some((each) => target === each || target.startsWith(`${each}/`))
      ? undefined
      : `${folder} may not import ${into.slice(0, 2).join("/")}`;
  }
  if (folder !== "io") return undefined;
  const [own, other] = [path.split("/").slice(0, 2).join("/"), into.slice(0, 2).join("/")];
  const shared = SHARED_IO.some((each) => other === each);
  return own === other || shared ? undefined : `${own} may not import ${other}`;
}

/** The domain hashes ids and gives names numbers; it does no I/O and asks nobody for the time or for luck. */
function domainImportProblems(module: string, names: string): string[] {
  if (module !== "node:crypto") return [`the domain imports ${module}`];
  return /^\s*\{\s*hash\s*\}\s*$/.test(names) ? [] : [`the domain imports${names}from node:crypto, not only hash`];
}

const packageName = (module: string): string =>
  module
    .split("/")
    .slice(0, module.startsWith("@") ? 2 : 1)
    .join("/");

function contentProblems(path: string, code: string): string[] {
  const folder = path.split("/")[0]!;
  const found: string[] = [];
  if (!ENVIRONMENT_FILES.has(path) && !ENVIRONMENT_FOLDERS.has(folder)) {
    for (const [, what] of code.matchAll(/\bprocess\s*(?:\?\.|\.)\s*(env|argv)\b/g))
      found.push(`reads process.${what}`);
  }
  if (!CONSOLE_FOLDERS.has(folder) && /\bconsole\s*\./.test(code)) found.push("uses console");
  if (folder === "domain") {
    if (/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\s*\./.test(code)) found.push("the domain reads the clock");
    if (/\bMath\.random\b|\brandomUUID\b|\bgetRandomValues\b/.test(code)) found.push("the domain uses randomness");
  }
  const lines = code.trimEnd().split("\n").length;
  if (lines > MAX_LINES) found.push(`has ${lines} lines, more than ${MAX_LINES}`);
  return found;
}

/** Line breaks stay, so that lines can be counted. Texts are kept whole, whatever they hold. */
function withoutComments(text: string): string {
  const piece = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replace(piece, (found) => (found.startsWith("/") ? found.replace(/[^\n]/g, "") : found));
}

function withoutTexts(code: string): string {
  return code.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
}
