// SPDX-License-Identifier: Apache-2.0
/**
 * Videos of canaries: their events are real and known beforehand, and they are left out of rankings and lists unless
 * somebody asks for them.
 */
export const CANARY_PREFIX = "viewmill.canary:";

/** How many canaries a deployment may have: a ranking asks for as many videos more, and leaves them out. */
export const MAX_CANARIES = 32;

export const isCanaryVideo = (videoId: string): boolean => videoId.startsWith(CANARY_PREFIX);
