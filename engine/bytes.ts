// SPDX-License-Identifier: Apache-2.0
/** BSON's wrapper of bytes, as far as we use it. */
interface BsonBinary {
  readonly _bsontype: "Binary";
  readonly buffer: Uint8Array;
  readonly position: number;
}

/**
 * Bytes of an element's field, whichever way the element came: by reference on the direct runner (Uint8Array or
 * Buffer), through a worker's coder (BSON Binary inside an object). A view, not a copy. Other typed arrays are refused:
 * BSON turns them into a document, so they would work on the direct runner only.
 */
export function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (isBinary(value)) return value.buffer.subarray(0, value.position);
  throw new TypeError(`expected bytes, got ${value === null ? "null" : (value?.constructor?.name ?? typeof value)}`);
}

function isBinary(value: unknown): value is BsonBinary {
  return typeof value === "object" && value !== null && (value as { _bsontype?: unknown })._bsontype === "Binary";
}
