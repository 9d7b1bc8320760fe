// SPDX-License-Identifier: Apache-2.0
import { type FolderLock, waitForLock } from "../../io/sqlite/data-folder";
import { type Deployment, type DeploymentSections, openDeployment, usesDataFolder } from "./deployment";

const LOCK = "tier";
const LOCK_DEADLINE_MS = 600_000;

/**
 * Opens the deployment for work during which no other process may move cells out of the store; such work takes turns.
 * `viewmill tier` opens the deployment with it.
 */
export async function withCellsKept<T>(
  config: DeploymentSections,
  work: (deployment: Deployment) => Promise<T>,
): Promise<T> {
  const deployment = await openDeployment(config);
  let lock: FolderLock | undefined;
  try {
    if (usesDataFolder(config)) lock = await waitForLock(config.data, LOCK, { deadlineMs: LOCK_DEADLINE_MS });
    return await work(deployment);
  } finally {
    lock?.release();
    await deployment.close();
  }
}
