// SPDX-License-Identifier: Apache-2.0
/** The door of the read API: what cli/programs/serve/ builds it from, and what alerts read. */
export { AnswerCache } from "./answer-cache";
export { ChannelCounters } from "./channel-counters";
export type { LogGauge, QueryDependencies, Readiness } from "./dependencies";
export { unbalancedMinutes } from "./get-ledger";
export type { HotReads } from "./hot-reads";
export { createQueryApi } from "./query-router";
export { sharedAudits } from "./shared-audits";
export { sharedFreshness } from "./shared-freshness";
export { shownDelivery } from "./webhooks";
