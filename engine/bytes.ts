// SPDX-License-Identifier: Apache-2.0
/**
 * The part of BSON's wrapper of bytes that is used here. DoFns of the application read the bytes of their elements by
 * it.
 */
interface BsonBinary {
  readonly _bsontype: "Binary";
  readonly buffer: Uint8Array;
  readonly position: number;
}

/**
 * Returns the bytes of an element's field as a view, not a copy. On the direct runner the field is a Uint8Array or
 * Buffer; after a worker's coder it is a BSON Binary inside an object. Other typed arrays are refused: BSON turns them
 * into a document, so they would work on the direct runner only.
 */
export function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (isBinary(value)) return value.buffer.subarray(0, value.position);
  throw new TypeError(`expected bytes, got ${value === null ? "null" : (value?.constructor?.name ?? typeof value)}`);
}

function isBinary(value: unknown): value is BsonBinary {
  return typeof value === "object" && value !== null && (value as { _bsontype?: unknown })._bsontype === "Binary";
}
