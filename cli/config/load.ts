// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { parse } from "yaml";
import type { z } from "zod";
import { environment } from "../environment";
import { type Config, configSchema } from "./schema";
import { hasPrefix, isServiceLink, settingOf, variableOf, variables } from "./variables";

/** One clear line about a setting. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

type Tree = { [key: string]: unknown };

/** What a command line can say of the configuration; undefined: not said. */
interface ConfigFlags {
  config?: string;
  data?: string;
  host?: string;
  port?: number;
  logLevel?: string;
  insecure?: boolean;
  keyFile?: string;
}

/**
 * Variables with the prefix that are not settings; VIEWMILL_CACHE is of the test servers, which run beside a service.
 */
const NOT_SETTINGS = new Set(["VIEWMILL_CONFIG", "VIEWMILL_CACHE"]);

/**
 * Settings from the file, then the environment, then flags; the later wins. Throws ConfigError naming file, variable or
 * flag, and the key.
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

/** The configuration of a command, from its own and its parents' flags. */
export function resolveConfig(command: Command): Config {
  return loadConfig(command.optsWithGlobals<ConfigFlags>(), environment());
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
  const said = Object.entries(tree).filter(([, value]) => value !== null);
  return Object.fromEntries(said.map(([key, value]) => [key, isTree(value) ? withoutEmpty(value) : value]));
}

const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** What is wrong in the file itself; rules across settings wait until the environment and the flags are in. */
function checkFile(settings: Tree, file: string): void {
  const issues = configSchema.safeParse(settings).error?.issues.filter(({ code }) => code !== "custom") ?? [];
  if (issues.length > 0) throw new ConfigError(`${file}: ${issues.map((issue) => describe(issue)).join("; ")}`);
}

function check(settings: Tree, source: string, said: ReadonlySet<string>): Config {
  const result = configSchema.safeParse(settings);
  if (result.success) return result.data;
  throw new ConfigError(`${source}: ${result.error.issues.map((issue) => describe(issue, said)).join("; ")}`);
}

/** Where a variable said the value, its name as well. */
function describe(issue: z.core.$ZodIssue, said: ReadonlySet<string> = new Set()): string {
  const at = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `unknown key "${at === "" ? key : `${at}.${key}`}"`).join(", ");
  }
  const path = issue.path.map(String);
  const variable = path.map((_, last) => variableOf(path.slice(0, last + 1))).find((name) => said.has(name));
  return `${at}${variable === undefined ? "" : ` (${variable})`}: ${issue.message}`;
}

/** VIEWMILL_HTTP_PORT=8081 -> { http: { port: 8081 } }. Gives the variables that said something. */
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
