// SPDX-License-Identifier: Apache-2.0
/** The live objects transforms ask for where they run (engine/resources.ts), and the port each must be. */
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
