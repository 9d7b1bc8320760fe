// SPDX-License-Identifier: Apache-2.0
/** Name of a pipeline option as Beam's job servers know it, from `camelCase` or `snake_case`. */
export const jobOptionUrn = (name: string): string =>
  `beam:option:${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}:v1`;
