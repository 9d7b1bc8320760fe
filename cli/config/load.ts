// SPDX-License-Identifier: Apache-2.0
/**
 * Reads the configuration of a command or a process from its three sources. Every command gets it through resolve.ts.
 */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { z } from "zod";
import { ConfigError } from "./config-error";
import { type Config, configSchema } from "./schema";
import { hasPrefix, isServiceLink, settingOf, variableOf, variables } from "./variables";

type Tree = { [key: string]: unknown };

/** The flags that set parts of the configuration; undefined: not given. */
export interface ConfigFlags {
  config?: string;
  data?: string;
  host?: string;
  port?: number;
  logLevel?: string;
  insecure?: boolean;
  keyFile?: string;
}

/**
 * Variables with the prefix that are not settings. VIEWMILL_CACHE belongs to the test servers, which run beside a
 * service.
 */
const NOT_SETTINGS = new Set(["VIEWMILL_CONFIG", "VIEWMILL_CACHE"]);

/**
 * Reads settings from the file, then the environment, then flags; later ones take precedence. Throws ConfigError naming
 * file, variable or flag, and the key.
 */
export function loadConfig(flags: ConfigFlags, env: Readonly<Record<string, string | undefined>>): Config {
  const file = flags.config ?? env.VIEWMILL_CONFIG;
  let settings: Tree = {};
  if (file !== undefined) {
    settings = readFile(file);
    checkFile(settings, file);
  }
  const said = fromEnvironment(settings, env);
  fromFlags(settings, flags);
  return check(settings, file === undefined ? "configuration" : `configuration (${file}, environment and flags)`, said);
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

/** Reads a section as absent whose lines are all commented out, and which YAML reads as null. */
function withoutEmpty(tree: Tree): Tree {
  const said = Object.entries(tree).filter(([, value]) => value !== null);
  return Object.fromEntries(said.map(([key, value]) => [key, isTree(value) ? withoutEmpty(value) : value]));
}

const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** Checks the file alone. Rules across settings are checked after the environment and the flags. */
function checkFile(settings: Tree, file: string): void {
  const issues = configSchema.safeParse(settings).error?.issues.filter(({ code }) => code !== "custom") ?? [];
  if (issues.length > 0) throw new ConfigError(`${file}: ${issues.map((issue) => describe(issue)).join("; ")}`);
}

function check(settings: Tree, source: string, said: ReadonlySet<string>): Config {
  const result = configSchema.safeParse(settings);
  if (result.success) return result.data;
  throw new ConfigError(`${source}: ${result.error.issues.map((issue) => describe(issue, said)).join("; ")}`);
}

/** Describes an issue; where a variable set the value, the variable's name is added. */
function describe(issue: z.core.$ZodIssue, said: ReadonlySet<string> = new Set()): string {
  const at = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `unknown key "${at === "" ? key : `${at}.${key}`}"`).join(", ");
  }
  const path = issue.path.map(String);
  const variable = path.map((_, last) => variableOf(path.slice(0, last + 1))).find((name) => said.has(name));
  return `${at}${variable === undefined ? "" : ` (${variable})`}: ${issue.message}`;
}

/** Reads VIEWMILL_HTTP_PORT=8081 as { http: { port: 8081 } }. Returns the variables that set a value. */
function fromEnvironment(settings: Tree, env: Readonly<Record<string, string | undefined>>): ReadonlySet<string> {
  const known = variables();
  const said = new Set<string>();
  for (const [name, text] of Object.entries(env)) {
    if (!hasPrefix(name) || NOT_SETTINGS.has(name) || text === undefined || isServiceLink(name, text)) continue;
    const variable = known.get(name);
    if (variable === undefined) throw new ConfigError(`environment: unknown variable ${name}`);
    set(settings, variable.path, settingOf(variable, text));
    said.add(name);
  }
  return said;
}

function fromFlags(settings: Tree, { data, host, port, logLevel, insecure, keyFile }: ConfigFlags): void {
  if (data !== undefined) set(settings, ["data"], data);
  if (host !== undefined) set(settings, ["http", "host"], host);
  if (port !== undefined) set(settings, ["http", "port"], port);
  if (logLevel !== undefined) set(settings, ["logLevel"], logLevel);
  if (insecure !== undefined) set(settings, ["http", "insecure"], insecure);
  if (keyFile !== undefined) set(settings, ["keys", "file"], keyFile);
}

function set(tree: Tree, [first, ...rest]: readonly string[], value: unknown): void {
  if (first === undefined) return;
  if (rest.length === 0) tree[first] = value;
  else {
    tree[first] ??= {};
    set(tree[first] as Tree, rest, value);
  }
}
