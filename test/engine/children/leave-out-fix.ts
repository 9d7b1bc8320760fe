// SPDX-License-Identifier: Apache-2.0
/**
 * Preloaded (`--require`) into a worker: repairs the SDK but for the fix that the process's title names (`--title
 * leave-out-fix=numbers`).
 */
import { applyFixes, type FixName } from "../../../engine/fixes";

applyFixes(process.title.replace("leave-out-fix=", "") as FixName);
