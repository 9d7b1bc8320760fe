// SPDX-License-Identifier: Apache-2.0
/** The name of the counters' file in the data folder. All of io/sqlite opens or names it by this name. */
export const COUNTERS_FILE = "counters.sqlite";
