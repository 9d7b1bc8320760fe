// SPDX-License-Identifier: Apache-2.0
import util = require("node:util");

/**
 * Defect 12. serialize-closures calls util.isPrimitive and others that Node 23 removed: the first require of
 * apache-beam throws "(0 , util_1.isPrimitive) is not a function". Fix: define the missing functions before that
 * require.
 */
export function defineRemovedUtil(): void {
  const removed: Record<string, (value: unknown) => boolean> = {
    isPrimitive: (value) => value === null || (typeof value !== "object" && typeof value !== "function"),
    isArray: Array.isArray,
    isBoolean: (value) => typeof value === "boolean",
    isBuffer: Buffer.isBuffer,
    isDate: util.types.isDate,
    isError: (value) => value instanceof Error,
    isFunction: (value) => typeof value === "function",
    isNull: (value) => value === null,
    isNullOrUndefined: (value) => value === null || value === undefined,
    isNumber: (value) => typeof value === "number",
    isObject: (value) => value !== null && typeof value === "object",
    isRegExp: util.types.isRegExp,
    isString: (value) => typeof value === "string",
    isSymbol: (value) => typeof value === "symbol",
    isUndefined: (value) => value === undefined,
  };
  const target = util as unknown as Record<string, unknown>;
  for (const [name, check] of Object.entries(removed)) target[name] ??= check;
}
