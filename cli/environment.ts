// SPDX-License-Identifier: Apache-2.0
/** The environment and the arguments of a process, which programs take from here when they start. */

/** The only file that reads the process's environment and arguments. */
export const environment = (): Readonly<Record<string, string | undefined>> => process.env;

export const commandLine = (): readonly string[] => process.argv;
