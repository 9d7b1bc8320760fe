// SPDX-License-Identifier: Apache-2.0
/**
 * Returns the name of a pipeline option in Beam's job servers, from `camelCase` or `snake_case`. The options of a job
 * are named so when they are sent and when a worker reads them.
 */
export const jobOptionUrn = (name: string): string =>
  `beam:option:${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}:v1`;
