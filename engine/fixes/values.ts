// SPDX-License-Identifier: Apache-2.0
import type { Reader } from "protobufjs";
import { sdk } from "./sdk";

const bytesMarker = "Y";

/**
 * Defect 4, for values other than numbers. Bytes as a whole value, key or array item become a BSON document of {"0":
 * ..., "1": ...}; Map, Set, Date, other typed arrays and promises become other values without an error; bigint and
 * functions fail deep in the coder. Fix: bytes get a marker of their own and arrive as Uint8Array; the others are
 * refused by name. (Inside an object BSON decides: bytes arrive as BSON Binary, see engine/bytes.ts; a Map or Set in an
 * object is not detected.)
 */
export function codeValuesExactly(): void {
  const prototype = sdk.jsCoders.GeneralObjectCoder.prototype;
  const { encode, decode } = prototype;
  prototype.encode = function (value, writer, context) {
    if (value instanceof Uint8Array) {
      writer.string(bytesMarker);
      writer.bytes(value);
      return;
    }
    refuse(value);
    encode.call(this, value, writer, context);
  };
  prototype.decode = function (this: typeof prototype, reader: Reader, context: Parameters<typeof decode>[1]) {
    // The marker is a string of one byte: its length (1), then the byte.
    if (reader.buf[reader.pos + 1] !== bytesMarker.charCodeAt(0)) return decode.call(this, reader, context);
    reader.string();
    return new Uint8Array(reader.bytes());
  } as typeof prototype.decode;
}

function refuse(value: unknown): void {
  const type = typeof value;
  if (type === "bigint" || type === "function" || type === "symbol") {
    throw new TypeError(`a value of type ${type} cannot cross a worker boundary`);
  }
  if (type !== "object" || value === null) return;
  if (ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set || value instanceof Date) {
    throw new TypeError(
      `a ${value.constructor.name} cannot cross a worker boundary: send plain objects, arrays or Uint8Array`,
    );
  }
  if (typeof (value as { then?: unknown }).then === "function") {
    throw new TypeError("a promise cannot cross a worker boundary: use awaitableParDo");
  }
}
