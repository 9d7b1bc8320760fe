// SPDX-License-Identifier: Apache-2.0
/**
 * For a program that must know no setting of the machine's: where programs are, and where Node keeps what it has
 * compiled.
 */
export const BARE_ENVIRONMENT = {
  PATH: process.env.PATH,
  ...(process.env.NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }),
};
