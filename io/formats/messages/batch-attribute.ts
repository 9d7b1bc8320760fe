// SPDX-License-Identifier: Apache-2.0
/**
 * The header or attribute with a message's unique id. Brokers and runners that may deliver twice recognise repeats by
 * it. The adapters of the logs write it, and the streaming job on Dataflow deduplicates by it.
 */
export const BATCH_ATTRIBUTE = "viewmill-batch";
