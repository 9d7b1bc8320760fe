export type { LogGauge, QueryDependencies, Readiness } from "./dependencies";
export { createQueryRouter } from "./query-router";
