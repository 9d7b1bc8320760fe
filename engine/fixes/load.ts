// SPDX-License-Identifier: Apache-2.0
/** Applies every fix. Processes that run workers load this module first, by its path (`--require`). */
import { applyFixes } from "./index";

applyFixes();
