// SPDX-License-Identifier: Apache-2.0
/**
 * The names of the canary's videos. The canary (cli/programs/canary) sends events of them, and the read API leaves them
 * out.
 */

/**
 * Canaries send real events whose counts are known beforehand. Rankings and lists leave their videos out unless a
 * caller asks for them.
 */
export const CANARY_PREFIX = "viewmill.canary:";

/**
 * The largest number of canaries of a deployment. A ranking reads this many videos more than it returns, and leaves the
 * canaries out.
 */
export const MAX_CANARIES = 32;

export const isCanaryVideo = (videoId: string): boolean => videoId.startsWith(CANARY_PREFIX);
