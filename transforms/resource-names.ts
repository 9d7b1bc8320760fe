// SPDX-License-Identifier: Apache-2.0
/**
 * The names of the live objects that transforms ask for at run time (engine/resources.ts). Each name belongs to one
 * port. Each process that runs a graph provides them first: the stream process, the workers of a cluster, and commands
 * that run the graph themselves.
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
