// SPDX-License-Identifier: Apache-2.0
import { applyFixes } from "./index";

applyFixes();
