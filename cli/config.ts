import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { parse } from "yaml";
import type { z } from "zod";
import { type Config, configSchema } from "./config-schema";
import { environment } from "./environment";

/** One clear line about a setting. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

type Tree = { [key: string]: unknown };

/** What a command line can say of the configuration; undefined: not said. */
export interface ConfigFlags {
  config?: string;
  data?: string;
  host?: string;
  port?: number;
  logLevel?: string;
}

const PREFIX = "VIEWMILL_";
/** Variables with the prefix that are not settings; VIEWMILL_CACHE is of the test servers, which run beside a service. */
const NOT_SETTINGS = new Set(["VIEWMILL_CONFIG", "VIEWMILL_CACHE"]);

/** Settings from the file, then the environment, then flags; the later wins. Throws ConfigError naming file, variable or flag, and the key. */
export function loadConfig(flags: ConfigFlags, env: Readonly<Record<string, string | undefined>>): Config {
  const file = flags.config ?? env.VIEWMILL_CONFIG;
  let settings: Tree = {};
  if (file !== undefined) {
    settings = readFile(file);
    checkFile(settings, file);
  }
  settings = merged(settings, fromEnvironment(env));
  settings = merged(settings, fromFlags(flags));
  return check(settings, file === undefined ? "configuration" : `configuration (${file}, environment and flags)`);
}

/** The configuration of a command, from its own and its parents' flags. */
export function resolveConfig(command: Command): Config {
  return loadConfig(command.optsWithGlobals<ConfigFlags>(), environment());
}

export function register(program: Command): void {
  program
    .command("config")
    .description("print the effective configuration")
    .option("--data <dir>", "data folder")
    .option("--config <file>", "YAML or JSON file")
    .option("--json", "print JSON (the default is JSON, too: it is YAML)")
    .action((_flags, command: Command) => {
      process.stdout.write(`${JSON.stringify(resolveConfig(command), null, 2)}\n`);
    });
}

function readFile(file: string): Tree {
  let content: unknown;
  try {
    content = parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ConfigError(`${file}: ${(error as Error).message.split("\n")[0]}`);
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== "object" || Array.isArray(content))
    throw new ConfigError(`${file}: a mapping of settings is wanted`);
  return withoutEmpty(content as Tree);
}

/** A section whose lines are all commented out reads as null: it says nothing. */
function withoutEmpty(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([, value]) => value !== null));
}

/** What is wrong in the file itself; rules across settings wait until the environment and the flags are in. */
function checkFile(settings: Tree, file: string): void {
  const issues = configSchema.safeParse(settings).error?.issues.filter(({ code }) => code !== "custom") ?? [];
  if (issues.length > 0) throw new ConfigError(`${file}: ${issues.map(describe).join("; ")}`);
}

function check(settings: Tree, source: string): Config {
  const result = configSchema.safeParse(settings);
  if (result.success) return result.data;
  throw new ConfigError(`${source}: ${result.error.issues.map(describe).join("; ")}`);
}

function describe(issue: z.core.$ZodIssue): string {
  const at = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `unknown key "${at === "" ? key : `${at}.${key}`}"`).join(", ");
  }
  return `${at}: ${issue.message}`;
}

/** VIEWMILL_HTTP_PORT=8081 -> { http: { port: 8081 } }. */
function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Tree {
  const known = variables();
  const defaults = configSchema.parse({}) as Tree;
  const settings: Tree = {};
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || NOT_SETTINGS.has(name) || text === undefined) continue;
    const path = known.get(name);
    if (path === undefined) throw new ConfigError(`environment: unknown variable ${name}`);
    // What is text by default stays text, whatever it looks like.
    set(settings, path, typeof valueAt(defaults, path) === "string" ? text : scalar(text));
  }
  return settings;
}

/** Every setting's variable, from the defaults: VIEWMILL_ and the path in capitals. */
export function variables(): Map<string, string[]> {
  const names = new Map<string, string[]>();
  const walk = (tree: Tree, path: string[]) => {
    for (const [key, value] of Object.entries(tree)) {
      const itsPath = [...path, key];
      if (typeof value === "object" && value !== null) walk(value as Tree, itsPath);
      else
        names.set(
          PREFIX + itsPath.map((part) => part.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase()).join("_"),
          itsPath,
        );
    }
  };
  walk(configSchema.parse({}) as Tree, []);
  return names;
}

function valueAt(tree: Tree, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Tree)[key], tree);
}

function scalar(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function fromFlags({ data, host, port, logLevel }: ConfigFlags): Tree {
  const settings: Tree = {};
  if (data !== undefined) set(settings, ["data"], data);
  if (host !== undefined) set(settings, ["http", "host"], host);
  if (port !== undefined) set(settings, ["http", "port"], port);
  if (logLevel !== undefined) set(settings, ["logLevel"], logLevel);
  return settings;
}

function set(tree: Tree, [first, ...rest]: string[], value: unknown): void {
  if (first === undefined) return;
  if (rest.length === 0) tree[first] = value;
  else {
    tree[first] ??= {};
    set(tree[first] as Tree, rest, value);
  }
}

function merged(base: Tree, over: Tree): Tree {
  const result: Tree = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = result[key];
    const both =
      typeof value === "object" &&
      value !== null &&
      typeof below === "object" &&
      below !== null &&
      !Array.isArray(below);
    result[key] = both ? merged(below as Tree, value as Tree) : value;
  }
  return result;
}
