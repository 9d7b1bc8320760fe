// SPDX-License-Identifier: Apache-2.0
/** Some whole lines of an NDJSON input, unchanged. */
export interface LineBlock {
  bytes: Buffer;
  /** The number of the first line, from 1; blank lines count. */
  firstLine: number;
}

/** A line that no request can hold. Only its beginning is kept. */
interface OversizeLine {
  oversize: Buffer;
  firstLine: number;
}

interface LineBlockBounds {
  maxLines: number;
  /** The length from which on a line is oversize. */
  maxLineBytes: number;
}

const LINE_FEED = 0x0a;
const KEPT_OF_OVERSIZE_BYTES = 64 << 10;

/**
 * Cuts a stream of bytes into blocks of whole lines without looking into the lines; holds one chunk and one line at
 * most. `viewmill send` and `viewmill backfill` read their files in such blocks.
 */
export async function* lineBlocks(
  input: AsyncIterable<Buffer>,
  bounds: LineBlockBounds,
): AsyncGenerator<LineBlock | OversizeLine> {
  let carry: Buffer[] = [];
  let carryBytes = 0;
  let line = 1;
  let skipping: Buffer | undefined;
  for await (const chunk of input) {
    let from = 0;
    if (skipping !== undefined) {
      const end = chunk.indexOf(LINE_FEED);
      if (end < 0) continue;
      yield { oversize: skipping, firstLine: line++ };
      skipping = undefined;
      from = end + 1;
    }
    const last = chunk.lastIndexOf(LINE_FEED);
    if (last >= from) {
      const bytes = Buffer.concat([...carry, chunk.subarray(from, last + 1)]);
      for (const block of cut(bytes, line, bounds.maxLines)) {
        yield { bytes: block.bytes, firstLine: block.firstLine };
        line = block.nextLine;
      }
      carry = [];
      carryBytes = 0;
      from = last + 1;
    }
    if (from < chunk.length) {
      carry.push(chunk.subarray(from));
      carryBytes += chunk.length - from;
    }
    if (carryBytes > bounds.maxLineBytes) {
      skipping = Buffer.from(Buffer.concat(carry).subarray(0, KEPT_OF_OVERSIZE_BYTES));
      carry = [];
      carryBytes = 0;
    }
  }
  if (skipping !== undefined) yield { oversize: skipping, firstLine: line };
  else if (carryBytes > 0) yield { bytes: Buffer.concat(carry), firstLine: line };
}

function* cut(bytes: Buffer, firstLine: number, maxLines: number) {
  let start = 0;
  let lines = 0;
  let first = firstLine;
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
    if (++lines < maxLines && at + 1 < bytes.length) continue;
    yield { bytes: bytes.subarray(start, at + 1), firstLine: first, nextLine: first + lines };
    first += lines;
    start = at + 1;
    lines = 0;
  }
}
