// SPDX-License-Identifier: Apache-2.0
/** The name of the counters in the data folder. */
export const COUNTERS_FILE = "counters.sqlite";
