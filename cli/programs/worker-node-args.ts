// SPDX-License-Identifier: Apache-2.0
/** The flags of Node with which `viewmill worker-pool` starts its workers. */

/**
 * V8's flags for a worker. Columns of a bundle are large and live for a fraction of a second. With V8's own young
 * generation (16 MiB a half) a quarter of a worker's time was garbage collection (docs/decisions/0007-cluster.md). The
 * Dockerfile and scripts/worker-boot.sh have the same flags.
 */
export const MAX_SEMI_SPACE_MB = 64;
export const MAX_OLD_SPACE_MB = 2_048;

export const workerNodeArgs = (sizes: { maxOldSpaceMb: number; maxSemiSpaceMb: number }): string[] => [
  `--max-old-space-size=${sizes.maxOldSpaceMb}`,
  `--max-semi-space-size=${sizes.maxSemiSpaceMb}`,
];
