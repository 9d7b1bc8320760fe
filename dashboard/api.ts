/** The read API as the pages use it. Integers beyond 2^53 arrive as bigint: no digit of a sum is lost on the screen. */
import type { Exact } from "./format";

export type BucketState = "provisional" | "final" | "audited" | "closed";
export type Granularity = "minute" | "hour" | "day";
export type AggregateFunction = "COUNT" | "SUM" | "AVERAGE";

export interface Freshness {
  asOf: string;
  completeThrough: string;
}
export interface Total {
  count: number;
  sum: Exact;
  lastEventAt: string;
}
export type Totals = Record<string, Total>;
export interface Video extends Freshness {
  videoId: string;
  totals: Totals;
}
export interface Bucket {
  start: string;
  value: Exact | null;
  state: BucketState;
  revision?: number;
}
export interface Stats extends Freshness {
  videoId: string;
  eventType: string;
  start: string;
  end: string;
  granularity: Granularity;
  value: Exact | null;
  buckets: Bucket[];
}
export interface Top extends Freshness {
  start: string;
  end: string;
  videos: { videoId: string; count: number }[];
}
export interface LedgerMinute {
  start: string;
  accepted: number;
  archived: number;
  counted: number;
  duplicate: number;
  late: number;
  balanced: boolean;
}
export interface Ledger extends Freshness {
  minutes: LedgerMinute[];
  totals: Omit<LedgerMinute, "start"> & { rejected: number };
}
export interface AuditDifference {
  level: string;
  videoId: string;
  eventType: string;
  start: string;
  archiveCount: number;
  storedCount: number;
}
export interface Audit {
  id: string;
  startedAt: string;
  durationMs: number;
  from: string;
  to: string;
  repair: boolean;
  outcome: "equal" | "repaired" | "differences" | "not-comparable";
  events: number;
  cellsCompared: number;
  cellsDiffering: number;
  cellsRepaired: number;
  lateEvents: number;
  notComparable: { minute: string; reason: string }[];
  differences: AuditDifference[];
}
export interface Dependency {
  name: string;
  ok: boolean;
  detail: string;
}
export interface QueryAnswer extends Freshness {
  buckets: { start: string; state: BucketState }[];
  series: { videoId: string; eventType: string; buckets: { COUNT?: number }[] }[];
}

/** The service answered with a problem, or did not answer (status 0). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

type Query = Record<string, string | number | undefined>;
const DEADLINE_MS = 15_000;

export const getVideo = (videoId: string) => get<Video>(`/v1/videos/${segment(videoId)}`);
export const getStats = (videoId: string, query: Query) => get<Stats>(`/v1/videos/${segment(videoId)}/stats`, query);
export const getTop = (query: Query) => get<Top>("/v1/top", query);
export const getLedger = (query: Query) => get<Ledger>("/v1/ledger", query);
export const getAudits = (limit: number) => get<{ audits: Audit[] }>("/v1/audits", { limit });

/** /readyz answers 503 with the same list where something is missing. */
export async function getDependencies(): Promise<Dependency[]> {
  const response = await ask("/readyz", {});
  const { dependencies } = parse(await response.text()) as { dependencies?: Dependency[] };
  if (dependencies === undefined) throw new ApiError("the service did not say what it depends on", response.status);
  return dependencies;
}

/** The counts of many videos in one call. */
export async function query(body: object): Promise<QueryAnswer> {
  const headers = { "content-type": "application/json" };
  const response = await ask("/v1/query", {}, { method: "POST", headers, body: JSON.stringify(body) });
  return content<QueryAnswer>(response);
}

async function get<Answer>(path: string, asked: Query = {}): Promise<Answer> {
  return content<Answer>(await ask(path, asked));
}

async function ask(path: string, asked: Query, init: RequestInit = {}): Promise<Response> {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  try {
    return await fetch(search === "" ? path : `${path}?${search}`, {
      ...init,
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch {
    throw new ApiError("the service does not answer", 0);
  }
}

async function content<Answer>(response: Response): Promise<Answer> {
  const answer = parse(await response.text()) as { detail?: unknown };
  if (response.ok) return answer as Answer;
  throw new ApiError(typeof answer?.detail === "string" ? answer.detail : `status ${response.status}`, response.status);
}

/** JSON whose integers stay exact (the third argument of a reviver is the source text). */
export function parse(text: string): unknown {
  const reviver = (_name: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
      ? BigInt(context?.source ?? 0)
      : value;
  try {
    return JSON.parse(text, reviver as (name: string, value: unknown) => unknown);
  } catch {
    throw new ApiError("the service answered something that is not JSON", 0);
  }
}

export const segment = (id: string): string => encodeURIComponent(id);
