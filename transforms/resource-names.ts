// SPDX-License-Identifier: Apache-2.0
/**
 * The names of the live objects that transforms ask for at run time (engine/resources.ts). Each name belongs to one
 * port.
 */
export const RESOURCES = {
  archive: "viewmill/archive",
  counterStore: "viewmill/counter-store",
  ledger: "viewmill/ledger",
  deadLetters: "viewmill/dead-letters",
  claims: "viewmill/claims",
  eventTypes: "viewmill/event-types",
  paneCache: "viewmill/pane-cache",
  findings: "viewmill/findings",
  logProgress: "viewmill/log-progress",
} as const;
