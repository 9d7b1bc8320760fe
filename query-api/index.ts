export type { QueryDependencies, Readiness } from "./dependencies";
export { createQueryRouter } from "./query-router";
