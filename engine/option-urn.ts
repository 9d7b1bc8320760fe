// SPDX-License-Identifier: Apache-2.0
/** Returns the name of a pipeline option in Beam's job servers, from `camelCase` or `snake_case`. */
export const jobOptionUrn = (name: string): string =>
  `beam:option:${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}:v1`;
