// SPDX-License-Identifier: Apache-2.0
/** The form in which the event log and the dead letters hand payloads to their threads. */

/**
 * Many payloads in one buffer, for one transfer to a thread. Callers keep their payloads, because a rejected batch may
 * be appended again, so their buffers must not be detached. The pack copies each payload once, and the transfer copies
 * none.
 */
export interface PackedPayloads {
  buffer: ArrayBuffer;
  /** The bytes of each payload, in order. */
  sizes: number[];
}

export function packPayloads(payloads: readonly Uint8Array[]): PackedPayloads {
  const sizes = payloads.map((payload) => payload.byteLength);
  const packed = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let offset = 0;
  for (const payload of payloads) {
    packed.set(payload, offset);
    offset += payload.byteLength;
  }
  return { buffer: packed.buffer, sizes };
}

/** Returns views into the packed buffer. Throws a RangeError where the sizes do not add up to it. */
export function unpackPayloads({ buffer, sizes }: PackedPayloads): Uint8Array[] {
  const packedBytes = sizes.reduce((sum, size) => sum + size, 0);
  if (packedBytes !== buffer.byteLength)
    throw new RangeError(`payloads of ${packedBytes} bytes are packed in ${buffer.byteLength}`);
  let offset = 0;
  return sizes.map((size) => {
    const payload = new Uint8Array(buffer, offset, size);
    offset += size;
    return payload;
  });
}
