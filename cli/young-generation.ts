// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps V8's young generation small while a program starts. Nearly all that it loads survives, for which V8 lets the
 * young generation grow to its bound. A service that is idle afterwards would keep that memory until its next garbage
 * collection, which may be hours away. `serve` and its stream start with it; nothing changes for what they do later.
 */
import { setFlagsFromString } from "node:v8";

/** From now on the young generation keeps its size: V8 grows it by this factor. A thread that starts ends it. */
export const keepYoungGenerationSmall = (): void => setFlagsFromString("--semi-space-growth-factor=1");

/** From now on the young generation grows with what survives in it; 2 is V8's own factor. */
export const letYoungGenerationGrow = (): void => setFlagsFromString("--semi-space-growth-factor=2");
