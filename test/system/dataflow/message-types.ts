// SPDX-License-Identifier: Apache-2.0
/**
 * Holds JSON against the types of Google's own client of Dataflow: every field known, of its type, spelled as JSON
 * spells it.
 */
import { type Enum, type Field, Root, type Type } from "protobufjs";

const protos = require("@google-cloud/dataflow/build/protos/protos.json") as object;
const root = Root.fromJSON(protos as never);
root.resolveAll();

const PACKAGE = "google.dataflow.v1beta3";

/** Everything that is wrong, one line each; `type` is a message of google.dataflow.v1beta3. */
export function wrongFields(type: string, json: unknown): string[] {
  return messageProblems(root.lookupType(`${PACKAGE}.${type}`), json, type);
}

/** Wrong parameters of a query: their names are those of the request message, their values are text. */
export function wrongParameters(requestType: string, query: URLSearchParams): string[] {
  const type = root.lookupType(`${PACKAGE}.${requestType}`);
  return [...query].flatMap(([name, value]) => {
    const field = type.fields[name];
    if (field === undefined) return [`${requestType} has no parameter ${name}`];
    if (isEnum(field)) return enumProblems(field.resolvedType as Enum, value, `${requestType}.${name}`);
    return field.type === "int32" && !/^\d+$/.test(value) ? [`${requestType}.${name} is no number: ${value}`] : [];
  });
}

/** `google.protobuf` types whose JSON is not that of their fields. */
const WELL_KNOWN: Readonly<Record<string, (json: unknown) => boolean>> = {
  ".google.protobuf.Struct": (json) => isObject(json),
  ".google.protobuf.Any": (json) => isObject(json) && "@type" in json,
  ".google.protobuf.Timestamp": (json) => typeof json === "string" && !Number.isNaN(Date.parse(json)),
  ".google.protobuf.Duration": (json) => typeof json === "string" && /^-?\d+(\.\d+)?s$/.test(json),
};

function messageProblems(type: Type, json: unknown, path: string): string[] {
  const wellKnown = WELL_KNOWN[type.fullName];
  if (wellKnown !== undefined) return wellKnown(json) ? [] : [`${path} is no ${type.fullName}`];
  if (!isObject(json)) return [`${path} is no object`];
  return Object.entries(json).flatMap(([name, value]) => {
    const field = type.fields[name];
    if (field === undefined) return [`${path} has no field ${name}`];
    return fieldProblems(field, value, `${path}.${name}`);
  });
}

function fieldProblems(field: Field, json: unknown, path: string): string[] {
  if (field.map) {
    if (!isObject(json)) return [`${path} is no object`];
    return Object.entries(json).flatMap(([key, value]) => valueProblems(field, value, `${path}.${key}`));
  }
  if (!field.repeated) return valueProblems(field, json, path);
  if (!Array.isArray(json)) return [`${path} is no array`];
  return json.flatMap((each, at) => valueProblems(field, each, `${path}[${at}]`));
}

function valueProblems(field: Field, json: unknown, path: string): string[] {
  if (isEnum(field)) return enumProblems(field.resolvedType as Enum, json, path);
  if (field.resolvedType !== null) return messageProblems(field.resolvedType as Type, json, path);
  const is = SCALARS[field.type];
  if (is === undefined) return [`${path} is of type ${field.type}, which is not known here`];
  return is(json) ? [] : [`${path} is no ${field.type}: ${JSON.stringify(json)}`];
}

const integer = (json: unknown): boolean => Number.isInteger(json) && Math.abs(json as number) < 2 ** 31;
const SCALARS: Readonly<Record<string, (json: unknown) => boolean>> = {
  string: (json) => typeof json === "string",
  bool: (json) => typeof json === "boolean",
  int32: integer,
  uint32: integer,
  int64: (json) => Number.isSafeInteger(json) || /^-?\d+$/.test(String(json)),
  double: (json) => typeof json === "number",
  bytes: (json) => typeof json === "string" && /^[A-Za-z0-9+/]*=*$/.test(json),
};

const isEnum = (field: Field): boolean => field.resolvedType !== null && "valuesById" in field.resolvedType;

const enumProblems = ({ values, name }: Enum, json: unknown, path: string): string[] =>
  typeof json === "string" && json in values ? [] : [`${path} is no ${name}: ${JSON.stringify(json)}`];

const isObject = (json: unknown): json is Record<string, unknown> =>
  typeof json === "object" && json !== null && !Array.isArray(json);
