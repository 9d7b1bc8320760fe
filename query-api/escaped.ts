// SPDX-License-Identifier: Apache-2.0
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for HTML. The pages and the badge of the service are made with it. */
export function escaped(data: string): string {
  return data.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
