// SPDX-License-Identifier: Apache-2.0
import { SchemaRegistry } from "./schema-registry";

/**
 * The schemas of everything that is sent as a message: batches (added by batch.ts) and references (reference.ts). The
 * codecs of batches and references decode with it.
 */
export const schemas = new SchemaRegistry();
