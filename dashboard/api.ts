// SPDX-License-Identifier: Apache-2.0
/**
 * The read API in the form in which the pages use it. Integers beyond 2^53 arrive as bigint, so that the screen shows
 * every digit of a sum. Every page asks the service with it.
 */
import type { Exact } from "./format";

export type BucketState = "provisional" | "final" | "audited" | "closed";
export type Granularity = "minute" | "hour" | "day" | "week" | "month";
export type AggregateFunction = "COUNT" | "SUM" | "AVERAGE";

interface Freshness {
  asOf: string;
  completeThrough: string;
}
interface Total {
  count: number;
  sum: Exact;
  lastEventAt: string;
}
export type Totals = Record<string, Total>;
/** Members of the catalog, where it knows the video. */
interface Titled {
  title?: string;
  channelId?: string;
  channelTitle?: string;
}
interface Video extends Freshness, Titled {
  videoId: string;
  totals: Totals;
}
interface Channel extends Freshness {
  channelId: string;
  title?: string;
  totals: Totals;
}
export interface Found {
  videos: (Titled & { videoId: string; publishedAt?: string; totals: Totals })[];
}
export interface LettersOfReason {
  reason: string;
  waiting: number;
  more: boolean;
  sample: { id: string; receivedAt: string; detail: string; payload: string };
}
export interface Replayed {
  accepted: number;
  refused: number;
  examples: { id: string; detail: string }[];
  cursor?: string;
}
export interface Bucket {
  start: string;
  value: Exact | null;
  state: BucketState;
  revision?: number;
}
export interface Stats extends Freshness {
  eventType: string;
  start: string;
  end: string;
  granularity: Granularity;
  value: Exact | null;
  buckets: Bucket[];
  /** Present with compare=previous. */
  previous?: { start: string; end: string; value: Exact | null; buckets: Bucket[] };
}
export interface Top extends Freshness {
  start: string;
  end: string;
  videos: { videoId: string; title?: string; count: number; previous?: number; growth?: number }[];
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
interface Ledger extends Freshness {
  minutes: LedgerMinute[];
  totals: Omit<LedgerMinute, "start"> & { rejected: number };
}
interface AuditDifference {
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
  /** A check of every total against its days; such an audit has no range. */
  totals?: boolean;
  outcome: "equal" | "repaired" | "differences" | "not-comparable";
  /** The audit found neither events nor cells, so its "equal" is not shown. */
  comparedNothing?: true;
  events: number;
  cellsCompared: number;
  cellsDiffering: number;
  cellsRepaired: number;
  lateEvents: number;
  notComparable: { minute: string; reason: string }[];
  differences: AuditDifference[];
}
interface Dependency {
  name: string;
  ok: boolean;
  detail: string;
}
interface QueryAnswer extends Freshness {
  buckets: { start: string; state: BucketState }[];
  series: { videoId: string; eventType: string; buckets: { COUNT?: number }[] }[];
}

/** Thrown when the service answered with a problem, or did not answer (status 0). */
export interface AlertRule {
  name: string;
  kind: string;
  state: "quiet" | "pending" | "firing";
  since?: string;
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** The event on `window` that says that the service requires a key, or another key. */
export const KEY_WANTED = "viewmill-key-wanted";
const KEY_STORE = "viewmill-key";
const key = sessionStorage.getItem(KEY_STORE);

/** Remembers the key until the tab is closed, and asks everything anew. */
export function takeKey(given: string): void {
  sessionStorage.setItem(KEY_STORE, given);
  location.reload();
}

export type Query = Record<string, string | number | undefined>;
const DEADLINE_MS = 15_000;

export const getVideo = (videoId: string) => get<Video>(`/v1/videos/${segment(videoId)}`);
export const getStats = (videoId: string, query: Query) => get<Stats>(`/v1/videos/${segment(videoId)}/stats`, query);
export const getChannel = (channelId: string) => get<Channel>(`/v1/channels/${segment(channelId)}`);
export const getChannelStats = (channelId: string, query: Query) =>
  get<Stats>(`/v1/channels/${segment(channelId)}/stats`, query);
export const getTop = (query: Query) => get<Top>("/v1/top", query);
export const getTrending = (query: Query) => get<Top>("/v1/trending", query);
export const newestVideos = (limit: number) => get<Found>("/v1/videos", { order: "newest", limit });
export const getLedger = (query: Query) => get<Ledger>("/v1/ledger", query);
export const findVideos = (search: string, limit: number) => get<Found>("/v1/videos", { search, limit });
export const getDeadLetters = () => get<{ reasons: LettersOfReason[] }>("/v1/dead-letters");
export const getAlerts = () => get<{ rules: AlertRule[] }>("/v1/alerts");
export const getAudits = (limit: number) => get<{ audits: Audit[] }>("/v1/audits", { limit });

/** /readyz answers 503 with the same list where a dependency is missing. */
export async function getDependencies(): Promise<Dependency[]> {
  const response = await ask("/readyz", {});
  const { dependencies } = parse(await response.text()) as { dependencies?: Dependency[] };
  if (dependencies === undefined) throw new ApiError("the service did not say what it depends on", response.status);
  return dependencies;
}

/** The counts of many videos in one call. */
export const query = (body: object) => post<QueryAnswer>("/v1/query", body);

/** Some hundred letters at a time; `cursor`: of the answer before. */
export const replayDeadLetters = (reason: string, cursor?: string) =>
  post<Replayed>("/v1/dead-letters/replay", { reason, ...(cursor === undefined ? {} : { cursor }) });

async function post<Answer>(path: string, body: object): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  return content<Answer>(await ask(path, {}, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function get<Answer>(path: string, asked: Query = {}): Promise<Answer> {
  return content<Answer>(await ask(path, asked));
}

/** A stream of server-sent events, open until the signal is aborted. Rejects with ApiError. */
export async function openEvents(asked: Query, lastEventId: string | undefined, signal: AbortSignal) {
  const headers = { accept: "text/event-stream", ...(lastEventId && { "last-event-id": lastEventId }) };
  const response = await ask("/v1/live", asked, { headers, signal, cache: "no-store" });
  if (!response.ok || response.body === null) throw new ApiError(`status ${response.status}`, response.status);
  return response.body;
}

async function ask(path: string, asked: Query, init: RequestInit = {}): Promise<Response> {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  const headers = { ...init.headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) };
  let response: Response;
  try {
    response = await fetch(search === "" ? path : `${path}?${search}`, {
      signal: AbortSignal.timeout(DEADLINE_MS),
      ...init,
      headers,
    });
  } catch {
    throw new ApiError("the service does not answer", 0);
  }
  if (response.status === 401) dispatchEvent(new Event(KEY_WANTED));
  return response;
}

async function content<Answer>(response: Response): Promise<Answer> {
  const answer = parse(await response.text()) as { detail?: unknown };
  if (response.ok) return answer as Answer;
  throw new ApiError(typeof answer?.detail === "string" ? answer.detail : `status ${response.status}`, response.status);
}

/** Parses JSON with exact integers (the third argument of a reviver is the source text). */
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

const segment = (id: string): string => encodeURIComponent(id);
