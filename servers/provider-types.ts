// SPDX-License-Identifier: Apache-2.0
/**
 * A Terraform provider's schema, read back from the types that are generated from it (npm @cdktf/provider-*): which
 * arguments and blocks a resource has, which are required, how often a block may come, what is computed. The checks of
 * terraform/ (terraform.ts) need it, because no package registry has Google's provider.
 */

/** As Terraform writes types in JSON. */
type AttributeType = "string" | "number" | "bool" | "dynamic" | readonly ["list" | "set" | "map", string];

interface AttributeSchema {
  name: string;
  type: AttributeType;
  required: boolean;
  optional: boolean;
  computed: boolean;
}

interface NestedSchema {
  name: string;
  nesting: "list" | "set" | "single";
  min: number;
  /** 0: any number. */
  max: number;
  block: BlockSchema;
}

export interface BlockSchema {
  attributes: AttributeSchema[];
  blocks: NestedSchema[];
}

interface Member {
  name: string;
  property: string;
  optional: boolean;
  type: string;
  isBlock: boolean;
}

/** The part of the schema that the code has beside the types: `Struct.argument` -> list, set or struct. */
type Kinds = ReadonlyMap<string, string>;

/** The types do not say which optional arguments the provider fills in; these it does, wherever they are. */
const FILLED_IN = new Set(["id", "project", "region", "zone", "location"]);

/**
 * The type's name in Terraform and its schema. Throws an Error for sources that are not generated the way this reads
 * them.
 */
export function schemaOf(types: string, code: string): { type: string; block: BlockSchema } {
  const type = /static readonly tfResourceType = "(\w+)"/.exec(types)?.[1];
  const main = /^export interface (\w+)Config(?: extends cdktf\.TerraformMetaArguments)? \{/m.exec(types)?.[1];
  if (type === undefined || main === undefined) throw new Error("no resource type in the generated types");
  const structs = structsOf(types);
  const block = blockOf(`${main}Config`, structs, kindsOf(code));
  for (const attribute of block.attributes) attribute.computed = attribute.optional && FILLED_IN.has(attribute.name);
  const known = new Set([...block.attributes, ...block.blocks].map(({ name }) => name));
  for (const attribute of computedOnly(types)) if (!known.has(attribute.name)) block.attributes.push(attribute);
  return { type, block };
}

function structsOf(types: string): Map<string, Member[]> {
  const structs = new Map<string, Member[]>();
  for (const [, name, body] of types.matchAll(/^export interface (\w+)(?: extends [\w.]+)? \{\n([\s\S]*?)^\}/gm)) {
    structs.set(name!, [...body!.matchAll(MEMBER)].map(memberOf));
  }
  return structs;
}

const MEMBER = /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?readonly (\w+)(\??): (\{[^}]*\}(?:\[\])?|[^;]+);/g;

function memberOf([, comment = "", property, optional, type]: RegExpMatchArray): Member {
  return {
    name: /#(\w+) [\w]+#\1\}/.exec(comment)?.[1] ?? snakeCase(property!),
    property: property!,
    optional: optional === "?",
    type: type!.replace(/\s+/g, " ").replace(/ \| cdktf\.IResolvable/g, ""),
    isBlock: /^\s*\* \w+ block$/m.test(comment),
  };
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const STRUCT = /^([A-Z]\w*)(\[\])?$/;

function blockOf(struct: string, structs: ReadonlyMap<string, Member[]>, kinds: Kinds): BlockSchema {
  const block: BlockSchema = { attributes: [], blocks: [] };
  const members = structs.get(struct);
  if (members === undefined) throw new Error(`the generated types have no ${struct}`);
  for (const { name, optional, type, isBlock } of members) {
    const [, nested, many] = STRUCT.exec(type) ?? [];
    const kind = kinds.get(`${struct.replace(/Config$/, "")}.${name}`);
    if (nested !== undefined && isBlock) {
      block.blocks.push({
        name,
        nesting: kind === "struct" ? "single" : kind === "set" ? "set" : "list",
        min: optional || kind === "struct" ? 0 : 1,
        max: many === undefined && kind !== "struct" ? 1 : 0,
        block: blockOf(nested, structs, kinds),
      });
    } else {
      const itsType = nested === undefined ? attributeType(type, kind) : "dynamic";
      block.attributes.push({ name, type: itsType, required: !optional, optional, computed: false });
    }
  }
  return block;
}

function attributeType(type: string, kind: string | undefined): AttributeType {
  const simple: Record<string, AttributeType> = { string: "string", number: "number", boolean: "bool" };
  const list = /^(string|number|boolean)\[\]$/.exec(type)?.[1];
  const map = /^\{ ?\[key: string\]: (string|number|boolean); ?\}$/.exec(type)?.[1];
  if (list !== undefined) return [kind === "set" ? "set" : "list", simple[list] as string];
  if (map !== undefined) return ["map", simple[map] as string];
  return simple[type] ?? "dynamic";
}

function kindsOf(code: string): Kinds {
  const kinds = new Map<string, string>();
  // Anchored to lines: the sources end in a line of megabytes.
  const sections =
    /^function (\w+)ToHclTerraform\(struct\) \{$|^class (\w+) extends cdktf\.\w+ \{$|^ +(\w+): \{\n +value: .*\n +isBlock: (?:true|false),\n +type: "(\w+)"/gm;
  let struct = "";
  for (const [, section, owner, name, kind] of code.matchAll(sections)) {
    if (section !== undefined) struct = section[0]!.toUpperCase() + section.slice(1);
    else if (owner !== undefined) struct = owner;
    else kinds.set(`${struct}.${name}`, kind!);
  }
  return kinds;
}

/** Attributes that a configuration cannot set: the resource answers them. */
function computedOnly(types: string): AttributeSchema[] {
  const start = types.search(/^export declare class \w+ extends cdktf\.Terraform(Resource|DataSource) \{/m);
  if (start < 0) return [];
  const found: AttributeSchema[] = [];
  for (const [, property, type] of types.slice(start).matchAll(/^ {4}get (\w+)\(\): ([^;]+);/gm)) {
    if (property!.endsWith("Input")) continue;
    const plain = type!.replace(/ \| cdktf\.IResolvable/g, "");
    const itsType = plain === "cdktf.StringMap" ? (["map", "string"] as const) : attributeType(plain, undefined);
    found.push({ name: snakeCase(property!), type: itsType, required: false, optional: false, computed: true });
  }
  return found;
}
