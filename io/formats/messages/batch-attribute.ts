// SPDX-License-Identifier: Apache-2.0
/**
 * Header or attribute with the unique id of a message: brokers and runners that may deliver twice know repeats by it.
 */
export const BATCH_ATTRIBUTE = "viewmill-batch";
