// SPDX-License-Identifier: Apache-2.0
/**
 * The ports: the interfaces to everything outside of Viewmill, one file each. Each folder of io/ is one adapter, and
 * each port has one contract suite (test/io/ports/), which runs against every adapter. Times are epoch milliseconds
 * (`...Ms`), a `minute` is epoch milliseconds divided by 60,000 (an integer), positions are positive integers that only
 * grow.
 */
export * from "./access-keys";
export * from "./alert-store";
export * from "./archive";
export * from "./audit-report";
export * from "./cell-tiers";
export * from "./claim-store";
export * from "./counter-store";
export * from "./dead-letters";
export * from "./embedded-ledger";
export * from "./errors";
export * from "./event-log";
export * from "./event-types";
export * from "./findings";
export * from "./ledger";
export * from "./log-progress";
export * from "./log-subscription";
export * from "./places";
export * from "./receipt-stamps";
export * from "./shared-answers";
export * from "./versioned";
export * from "./video-catalog";
