// SPDX-License-Identifier: Apache-2.0
/**
 * The names of settings as environment variables. The configuration is loaded with them, and child processes are
 * started without them.
 */
import { isIP } from "node:net";
import type { z } from "zod";
import { configSchema } from "./schema";

/** The way the text of a setting's variable is read. */
type LeafKind = "text" | "number" | "boolean" | "list" | "map";

interface SettingVariable {
  /** The keys from the root of the configuration to the setting. */
  path: readonly string[];
  kind: LeafKind;
}

const PREFIX = "VIEWMILL_";

/** Returns every setting's variable, from the schema: VIEWMILL_ and the path in capitals. */
export function variables(): ReadonlyMap<string, SettingVariable> {
  const names = new Map<string, SettingVariable>();
  const walk = (schema: z.core.$ZodType, path: readonly string[]) => {
    const inner = unwrapped(schema);
    if (inner.def.type === "object") {
      for (const [key, field] of Object.entries((inner as unknown as z.core.$ZodObject)._zod.def.shape))
        walk(field, [...path, key]);
    } else names.set(variableOf(path), { path, kind: kindOf(inner.def.type) });
  };
  walk(configSchema, []);
  return names;
}

/** Returns VIEWMILL_HTTP_PORT for http.port. */
export function variableOf(path: readonly string[]): string {
  const words = path.map((part) => part.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase());
  return PREFIX + words.join("_");
}

/** Returns the schema below defaults and checks. */
function unwrapped(schema: z.core.$ZodType): { def: { type: string }; _zod: z.core.$ZodType["_zod"] } {
  let inner = schema;
  for (;;) {
    const def = inner._zod.def as { type: string; innerType?: z.core.$ZodType };
    if (def.innerType === undefined) return { def, _zod: inner._zod };
    inner = def.innerType;
  }
}

function kindOf(type: string): LeafKind {
  if (type === "number" || type === "boolean") return type;
  if (type === "array") return "list";
  return type === "record" ? "map" : "text";
}

/**
 * Returns the value of a variable's text. A text that fits no value of the kind stays a text, which the schema then
 * refuses.
 */
export function settingOf({ kind }: SettingVariable, text: string): unknown {
  switch (kind) {
    case "text":
      return text;
    case "number":
      return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
    case "boolean":
      return text === "true" || text === "false" ? text === "true" : text;
    case "list":
      return text.trimStart().startsWith("[") ? json(text) : itemsOf(text);
    case "map":
      return text.trimStart().startsWith("{") ? json(text) : mapOf(text);
    default:
      return kind satisfies never;
  }
}

/** Reads a,b as ["a", "b"]; items that contain a comma need JSON. */
const itemsOf = (text: string): string[] => (text.trim() === "" ? [] : text.split(",").map((item) => item.trim()));

/** Reads a=1,b=2 as { a: "1", b: "2" }; values that contain a comma need JSON. */
function mapOf(text: string): unknown {
  const pairs = itemsOf(text).map((item) => /^([^=]+)=(.*)$/.exec(item));
  if (pairs.some((pair) => pair === null)) return text;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1], pair?.[2]]));
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const ADDRESS = (text: string) => isIP(text) > 0;
const PORT = (text: string) => /^\d{1,5}$/.test(text);
const LINK = (text: string) => /^(?:tcp|udp|sctp):\/\/\S+:\d{1,5}$/.test(text);
const PROTOCOL = (text: string) => /^(?:tcp|udp|sctp)$/.test(text);

/**
 * The variables, by name and value, that Kubernetes sets in every pod for a service named viewmill or viewmill-…:
 * https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables, and the Docker links of the
 * same page.
 */
const SERVICE_LINKS: readonly (readonly [RegExp, (text: string) => boolean])[] = [
  [/^VIEWMILL(?:_[A-Z0-9]+)*_SERVICE_HOST$/, ADDRESS],
  [/^VIEWMILL(?:_[A-Z0-9]+)*_SERVICE_PORT(?:_[A-Z0-9]+)*$/, PORT],
  [/^VIEWMILL(?:_[A-Z0-9]+)*_PORT(?:_\d{1,5}_(?:TCP|UDP|SCTP))?$/, LINK],
  [/^VIEWMILL(?:_[A-Z0-9]+)*_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_PROTO$/, PROTOCOL],
  [/^VIEWMILL(?:_[A-Z0-9]+)*_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_PORT$/, PORT],
  [/^VIEWMILL(?:_[A-Z0-9]+)*_PORT_\d{1,5}_(?:TCP|UDP|SCTP)_ADDR$/, ADDRESS],
];

/**
 * Returns whether Kubernetes set the variable and not a person: a setting of the same name (http.port, for a service
 * viewmill-http) never has such a value.
 */
export function isServiceLink(name: string, text: string): boolean {
  return SERVICE_LINKS.some(([pattern, fits]) => pattern.test(name) && fits(text));
}

/** Returns whether a variable is Viewmill's to read, wherever it was set. */
export const hasPrefix = (name: string): boolean => name.startsWith(PREFIX);
