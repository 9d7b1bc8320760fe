/** Preloaded (`--require`) into a worker: repairs the SDK but for the fix named in LEAVE_OUT_FIX. */
import { applyFixes, type FixName } from "../../../engine/fixes";

applyFixes(process.env.LEAVE_OUT_FIX as FixName);
