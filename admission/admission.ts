// SPDX-License-Identifier: Apache-2.0
/**
 * Who may call the service, and how much: every request is admitted before it is read. The front of `serve` and the
 * routers of both APIs ask it.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import cors from "cors";
import type { KeyLimits, ListedKey, Scope } from "../io/ports/access-keys";
import type { KeyRing } from "./key-ring";
import { type DayQuota, dayQuota, type KeyBuckets, Limiter, quotaExceeded } from "./limiter";
import { forbidden, keysUnavailable, type Refusal, unauthorized } from "./refusal";

/** The parts of a request that decide whether it is admitted. Any IncomingMessage has them, without Express. */
interface Asking {
  url?: string | undefined;
  headers: IncomingHttpHeaders;
}

/** The sender of an admitted request. */
export interface Caller {
  /** The key's id; undefined where the service needs no keys. */
  keyId: string | undefined;
  /** Returns the RateLimit fields of the answer as of now; none where the key has no limit. */
  headers(): Readonly<Record<string, string>>;
  /** Returns a refusal where the key may not send events of one of these types. */
  mayType(eventTypes: Iterable<string>): Refusal | undefined;
  /**
   * Pays for the request's events and for the bytes of its body as received. The caller calls it once, before it stores
   * anything. Returns undefined when the payment is made, otherwise the refusal.
   */
  settle(events: number, bytes: number): Refusal | undefined;
  /** Takes a payment back, because no event was stored and the client will send the request again. */
  giveBack(events: number, bytes: number): void;
}

type Verdict = { kind: "admitted"; caller: Caller } | { kind: "refused"; refusal: Refusal };

interface AdmissionOptions {
  /** The keys; absent where the service has none. */
  keys?: KeyRing;
  /** The limits of keys without limits of their own. */
  defaultLimits?: KeyLimits;
  /** Pages of these origins may read and write; `*` means all pages. The origins that keys name are added. */
  origins?: readonly string[];
  /** Returns epoch milliseconds. */
  clock: () => number;
}

const OPEN: Caller = {
  keyId: undefined,
  headers: () => ({}),
  mayType: () => undefined,
  settle: () => undefined,
  giveBack: () => undefined,
};

const ADMITTED_OPEN: Verdict = { kind: "admitted", caller: OPEN };

/** Browsers ask again after this time (Chromium caps it at two hours). */
const PREFLIGHT_SECONDS = 7_200;
const READABLE_HEADERS = [
  "ETag",
  "RateLimit",
  "RateLimit-Policy",
  "Retry-After",
  "Viewmill-As-Of",
  "Viewmill-Complete-Through",
];

/** The one place where requests are admitted, by keys, scopes, origins and limits, on every road to the service. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #limiter: Limiter;
  readonly #cors: (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#limiter = new Limiter(options.defaultLimits ?? {});
    this.#cors = cors<IncomingMessage>({
      origin: (origin, answer) => answer(null, this.#isAllowed(origin)),
      methods: ["GET", "HEAD", "POST"],
      exposedHeaders: READABLE_HEADERS,
      maxAge: PREFLIGHT_SECONDS,
    });
  }

  /** Whether requests need a key. Without keys, every client that reaches the service may use all of it. */
  get needsKeys(): boolean {
    return this.#options.keys?.required === true;
  }

  /** Judges a request before its body is read. The caller pays for the body with `settle`. */
  judge(asking: Asking, scope: Scope): Verdict {
    const { keys } = this.#options;
    if (keys === undefined || !keys.required)
      return scope === "operate" && isCrossSite(asking.headers) ? CROSS_SITE : ADMITTED_OPEN;
    const given = keyOf(asking);
    if (given === undefined) return NO_KEY;
    const found = keys.find(given.text);
    if (found.kind === "stale") return KEYS_UNAVAILABLE;
    if (found.kind === "unknown") return UNKNOWN_KEY;
    const { key } = found;
    const nowMs = performance.now();
    const buckets = this.#limiter.bucketsOf(key.id, key.limits, nowMs);
    const caller = new KeyCaller(key, buckets, keys, this.#options);
    const refusal = refusalOf(key, given.inUrl, originOf(asking.headers), scope);
    if (refusal !== undefined) return refused(refusal.status === 403 ? withFields(refusal, caller) : refusal);
    const limited = buckets.enter(nowMs, caller.readDay);
    if (limited !== undefined) return refused(limited);
    keys.used(key.id, 0);
    return { kind: "admitted", caller };
  }

  /**
   * Sets the CORS fields of the answer, and answers a preflight. Returns true after a preflight, which needs no other
   * answer. Pages of other origins get no field, so that their browsers keep the answer from them. Cookies play no
   * part. Every answer says that it depends on the origin, so that a cache keeps the answer without the fields from the
   * pages that may read.
   */
  crossOrigin(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#allowsNone()) return false;
    if (!this.#options.origins?.includes("*")) response.appendHeader("Vary", "Origin");
    let goesOn = false;
    this.#cors(request, response, () => {
      goesOn = true;
    });
    return !goesOn;
  }

  #allowsNone(): boolean {
    const { origins = [], keys } = this.#options;
    return origins.length === 0 && (keys === undefined || keys.origins.size === 0);
  }

  #isAllowed(origin: string | undefined): boolean | "*" {
    const { origins = [], keys } = this.#options;
    if (origins.includes("*")) return "*";
    if (origin === undefined) return false;
    if (origins.includes(origin)) return true;
    return keys !== undefined && (keys.origins.has(origin) || keys.origins.has("*"));
  }
}

const refused = (refusal: Refusal): Verdict => ({ kind: "refused", refusal });

/** A key that may not do this has its limits all the same, and its client may ask for something else. */
const withFields = (refusal: Refusal, caller: Caller): Refusal => ({
  ...refusal,
  headers: { ...refusal.headers, ...caller.headers() },
});

/** The same object for every such request, so that a flood of them is answered without making anything anew. */
const NO_KEY = refused(unauthorized("send a key: Authorization: Bearer KEY"));
const UNKNOWN_KEY = refused(unauthorized("the key is unknown, expired or revoked", "invalid_token"));
const KEYS_UNAVAILABLE = refused(keysUnavailable());
const CROSS_SITE = refused(forbidden("without keys, no page of another site may operate the service"));

class KeyCaller implements Caller {
  constructor(
    private readonly key: ListedKey,
    private readonly buckets: KeyBuckets,
    private readonly keys: KeyRing,
    private readonly options: AdmissionOptions,
  ) {}

  get keyId(): string {
    return this.key.id;
  }

  headers(): Readonly<Record<string, string>> {
    return this.buckets.headers(performance.now(), this.readDay());
  }

  readonly readDay = (): DayQuota | undefined => {
    const { eventsPerDay } = this.buckets.limits;
    if (eventsPerDay === undefined) return undefined;
    return dayQuota(eventsPerDay, this.keys.eventsToday(this.key), this.options.clock());
  };

  mayType(eventTypes: Iterable<string>): Refusal | undefined {
    const allowed = this.key.eventTypes;
    if (allowed === undefined) return undefined;
    for (const eventType of eventTypes)
      if (!allowed.includes(eventType)) return forbidden(`the key may send events of type ${allowed.join(", ")} only`);
    return undefined;
  }

  settle(events: number, bytes: number): Refusal | undefined {
    const nowMs = performance.now();
    const day = this.readDay();
    if (day !== undefined && events > day.left) return quotaExceeded(day, this.buckets.headers(nowMs, day));
    const limited = this.buckets.settle(events, bytes, nowMs, this.readDay);
    if (limited === undefined) this.keys.used(this.key.id, events);
    return limited;
  }

  giveBack(events: number, bytes: number): void {
    this.buckets.giveBack(events, bytes);
    this.keys.used(this.key.id, -events);
  }
}

function refusalOf(key: ListedKey, inUrl: boolean, origin: string | undefined, scope: Scope): Refusal | undefined {
  if (inUrl && !key.isPublic)
    return unauthorized("a secret key does not stand in a URL, which others log: send it as Authorization: Bearer");
  if (!key.scopes.includes(scope)) return forbidden(`the key may ${key.scopes.join(" and ")}, and this needs ${scope}`);
  const { origins } = key;
  if (origins === undefined || origins.includes("*")) return undefined;
  if (origin !== undefined && origins.includes(origin)) return undefined;
  return forbidden("the key is for pages of other origins");
}

/**
 * Returns the origin of the page that sent the request. A picture is requested without Origin, and with the page's
 * address as Referer.
 */
function originOf({ origin, referer }: IncomingHttpHeaders): string | undefined {
  if (origin !== undefined) return origin;
  return referer !== undefined && URL.canParse(referer) ? new URL(referer).origin : undefined;
}

/**
 * Returns whether a page of another site may have sent the request. A host name that an attacker points at this machine
 * (DNS rebinding) is none of the machine's own names. A page that sends its own origin belongs to this service where
 * that origin is the requested host.
 */
function isCrossSite({ origin, host = "" }: IncomingHttpHeaders): boolean {
  const name = host.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1");
  if (name !== "localhost" && isIP(name) === 0) return true;
  return origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host);
}

const BEARER = /^Bearer +([^ ]+) *$/i;
/** As nearly every client writes it. */
const PLAIN_BEARER = "Bearer ";

function bearerOf(authorization: string): string | undefined {
  const isPlain = authorization.startsWith(PLAIN_BEARER) && !authorization.includes(" ", PLAIN_BEARER.length);
  if (isPlain && authorization.length > PLAIN_BEARER.length) return authorization.slice(PLAIN_BEARER.length);
  return BEARER.exec(authorization)?.[1];
}

/** Returns the key of `Authorization: Bearer KEY`, otherwise of `?key=KEY`. */
function keyOf({ headers, url = "" }: Asking): { text: string; inUrl: boolean } | undefined {
  const { authorization } = headers;
  if (authorization !== undefined) {
    const text = bearerOf(authorization);
    return text === undefined ? undefined : { text, inUrl: false };
  }
  const query = url.indexOf("?");
  if (query === -1 || !url.includes("key=", query)) return undefined;
  const text = new URLSearchParams(url.slice(query)).get("key");
  return text === null ? undefined : { text, inUrl: true };
}
