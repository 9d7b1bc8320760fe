// SPDX-License-Identifier: Apache-2.0
import type { Reader, Writer } from "protobufjs";
import { sdk } from "./sdk";

/** Reads a varint above int32 as a number; refuses one that a double cannot hold. */
function readInteger(reader: Reader): number {
  const first = reader.buf[reader.pos];
  if (first !== undefined && first < 0x80) {
    reader.pos += 1;
    return first;
  }
  const value = Number(String(reader.int64()));
  if (!Number.isSafeInteger(value)) throw new RangeError(`a varint of ${value} does not fit a number exactly`);
  return value;
}

/**
 * Defect 4. Integers that are top-level values, array items, keys, accumulators or counters pass through writer.int32:
 * 1700000000000 arrives as -807049216, and NaN and the infinities as 0. Fix: varints of 64 bits (the same bytes for
 * values that fit into 32), and the float encoding for every other number. DoubleCoder.decode copied the whole buffer
 * for each value; the fixed one reads in place.
 */
export function codeNumbersExactly(): void {
  const { VarIntCoder, DoubleCoder } = sdk.standardCoders;
  VarIntCoder.prototype.encode = (value, writer) => {
    if ((value | 0) === value) {
      writer.int32(value);
      return;
    }
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer that a number holds exactly`);
    writer.int64(value);
  };
  VarIntCoder.prototype.decode = readInteger;
  DoubleCoder.prototype.decode = (reader) => {
    const { buf, pos } = reader;
    reader.skip(8);
    return new DataView(buf.buffer, buf.byteOffset + pos, 8).getFloat64(0, false);
  };
  // NumberOrFloatCoder is not exported, so it is reached through the coder that holds it.
  const numbers = generalCoders().number;
  Object.getPrototypeOf(numbers).encode = function (
    this: NumberCoder,
    value: number,
    writer: Writer,
    context: unknown,
  ) {
    const exact = Number.isSafeInteger(value) && !Object.is(value, -0);
    writer.string(exact ? "i" : "f");
    (exact ? this.intCoder : this.doubleCoder).encode(value, writer, context);
  };
}

interface NumberCoder {
  intCoder: { encode(value: number, writer: Writer, context: unknown): void };
  doubleCoder: { encode(value: number, writer: Writer, context: unknown): void };
}

function generalCoders(): { number: NumberCoder } {
  return (new sdk.jsCoders.GeneralObjectCoder() as unknown as { codersByType: { number: NumberCoder } }).codersByType;
}
