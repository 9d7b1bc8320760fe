// SPDX-License-Identifier: Apache-2.0
// A mutant that a property finds at all it mostly finds at once; each of thousands pays for every run.
import fc from "fast-check";

fc.configureGlobal({ numRuns: 30 });
