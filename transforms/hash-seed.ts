// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";

/**
 * The seed of the process's hash tables over names that clients choose: event ids, videos, types. Without a secret
 * seed, clients could choose colliding names, and one message would take minutes to decode.
 */
export const hashSeed = new Uint32Array(new Uint8Array(randomBytes(32)).buffer);
