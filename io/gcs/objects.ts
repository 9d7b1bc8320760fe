// SPDX-License-Identifier: Apache-2.0
/**
 * Requests for the objects of one bucket below one prefix, by the JSON API
 * (https://cloud.google.com/storage/docs/json_api/v1/objects). Every adapter of this folder reads and writes with it.
 */
import { randomUUID } from "node:crypto";
import { Semaphore } from "../flow/semaphore";
import { type GcsConfig, type GcsOptions, gcsConfig } from "./config";
import { type HttpAnswer, HttpConnections, type HttpRequest } from "./connection";
import { crc32cText } from "./crc32c";
import { applicationDefaultCredentials, type Credentials, NO_CREDENTIALS } from "./credentials";
import { DamagedAnswerError, RefusedError, withRetries } from "./errors";

interface StoredObject {
  /** The name below the prefix. */
  name: string;
  sizeBytes: number;
}

export interface ListQuery {
  /** The beginning of the listed names. */
  below: string;
  /** Names >= this; empty: from the first name. */
  from?: string;
  /** Names < this; empty: to the last name. */
  to?: string;
  /** Whether names are cut after the next `/` behind `below`, so that each folder is listed once. */
  foldersOnly?: boolean;
}

interface ListPage {
  objects: StoredObject[];
  folders: string[];
}

/** The largest page of Cloud Storage. */
const PAGE_OBJECTS = 1000;

export class GcsObjects {
  readonly config: GcsConfig;
  readonly #connections: HttpConnections;
  readonly #slots: Semaphore;
  readonly #credentials: Credentials;

  /** Throws a RangeError for invalid options; connects at the first request. */
  constructor(options: GcsOptions) {
    this.config = gcsConfig(options);
    this.#connections = new HttpConnections(this.config.concurrency);
    this.#slots = new Semaphore(this.config.concurrency);
    this.#credentials = this.config.authenticate ? applicationDefaultCredentials() : NO_CREDENTIALS;
  }

  /**
   * Writes or replaces an object whole: one request, visible to readers when it is complete, refused when its bytes
   * differ from the checksum.
   */
  async put(name: string, content: Uint8Array, contentType: string): Promise<void> {
    const upload = this.#upload(name, content, contentType, {});
    await this.#attempts(`cannot write ${name}`, async () => {
      accepted(await this.#exchange(upload));
    });
  }

  /**
   * Writes an object where the name is free. Returns false where an object with other bytes has the name. An object
   * with the same bytes counts as this write, perhaps an earlier attempt whose answer was lost.
   */
  async create(name: string, content: Uint8Array, contentType: string): Promise<boolean> {
    const upload = this.#upload(name, content, contentType, { ifGenerationMatch: "0" });
    return this.#attempts(`cannot write ${name}`, async () => {
      const answer = await this.#exchange(upload);
      if (answer.status !== 412) {
        accepted(answer);
        return true;
      }
      const { size, crc32c } = parsed<{ size: string; crc32c: string }>(
        accepted(await this.#exchange(this.#get(this.#objectUrl(name)))),
      );
      return Number(size) === content.byteLength && crc32c === crc32cText(content);
    });
  }

  /** Returns the bytes of an object, checked against its checksum; undefined where the object is missing. */
  async read(name: string): Promise<Buffer | undefined> {
    const found = await this.#attempts(`cannot read ${name}`, async () => {
      const answer = await this.#exchange(this.#get(this.#objectUrl(name, { alt: "media" })));
      if (answer.status === 404) return undefined;
      return verified(accepted(answer));
    });
    // A missing object and a missing bucket give the same answer. A ping tells them apart, because a missing bucket is
    // an error.
    if (found === undefined) await this.ping();
    return found;
  }

  /** Removes an object; a missing one counts as removed. */
  async remove(name: string): Promise<void> {
    await this.#attempts(`cannot remove ${name}`, async () => {
      const answer = await this.#exchange({ ...this.#get(this.#objectUrl(name)), method: "DELETE" });
      if (answer.status !== 404) accepted(answer);
    });
  }

  /** Rejects with `StoreUnavailableError` when the bucket cannot be listed now. */
  async ping(): Promise<void> {
    const url = this.#listUrl({ prefix: this.config.prefix, maxResults: "1" });
    await this.#attempts("cannot be listed", async () => {
      accepted(await this.#exchange(this.#get(url)));
    });
  }

  /** Yields objects and folders by name, a page for each request. */
  async *list(query: ListQuery): AsyncGenerator<ListPage> {
    const { prefix } = this.config;
    const parameters: Record<string, string> = { prefix: prefix + query.below, maxResults: String(PAGE_OBJECTS) };
    if (query.from) parameters.startOffset = prefix + query.from;
    if (query.to) parameters.endOffset = prefix + query.to;
    if (query.foldersOnly) parameters.delimiter = "/";
    parameters.fields = `${query.foldersOnly ? "prefixes" : "items(name,size,timeCreated)"},nextPageToken`;
    for (let pageToken: string | undefined = ""; pageToken !== undefined; ) {
      const url = this.#listUrl(pageToken === "" ? parameters : { ...parameters, pageToken });
      const page: ListAnswer = await this.#attempts("cannot be listed", async () =>
        parsed(accepted(await this.#exchange(this.#get(url)))),
      );
      yield {
        objects: (page.items ?? []).map(({ name, size, timeCreated }) => ({
          name: name.slice(prefix.length),
          sizeBytes: Number(size),
          ...(timeCreated === undefined ? {} : { writtenAtMs: Date.parse(timeCreated) }),
        })),
        folders: (page.prefixes ?? []).map((folder) => folder.slice(prefix.length)),
      };
      pageToken = page.nextPageToken === "" ? undefined : page.nextPageToken;
    }
  }

  /** Returns the bucket's own settings; undefined where no bucket has the name. */
  async bucket<T>(): Promise<T | undefined> {
    const url = this.#url(`/storage/v1/b/${this.config.bucket}`, {});
    return this.#attempts("cannot be looked at", async () => {
      const answer = await this.#exchange(this.#get(url));
      return answer.status === 404 ? undefined : parsed<T>(accepted(answer));
    });
  }

  /** Creates the bucket; an existing one of the same name and project is accepted. */
  async createBucket(project: string, settings: object): Promise<void> {
    const url = this.#url("/storage/v1/b", { project });
    const body = [Buffer.from(JSON.stringify({ name: this.config.bucket, ...settings }))];
    const headers = { "content-type": "application/json" };
    await this.#attempts("cannot be made", async () => {
      const answer = await this.#exchange({ method: "POST", url, headers, body });
      if (answer.status !== 409 || (await this.bucket()) === undefined) accepted(answer);
    });
  }

  /** Closes idle connections; requests under way fail. */
  close(): void {
    this.#connections.close();
  }

  /**
   * Builds a multipart upload. The metadata carries the checksum, so that the server refuses other bytes before the
   * object exists.
   */
  #upload(name: string, content: Uint8Array, contentType: string, conditions: Record<string, string>): Exchange {
    const { bucket, prefix } = this.config;
    const boundary = randomUUID();
    const metadata = { name: prefix + name, contentType, crc32c: crc32cText(content) };
    const head = `--${boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${JSON.stringify(metadata)}\r\n--${boundary}\r\ncontent-type: ${contentType}\r\n\r\n`;
    return {
      method: "POST",
      url: this.#url(`/upload/storage/v1/b/${bucket}/o`, { uploadType: "multipart", ...conditions }),
      headers: { "content-type": `multipart/related; boundary=${boundary}` },
      body: [Buffer.from(head), content, Buffer.from(`\r\n--${boundary}--\r\n`)],
    };
  }

  #get(url: URL): Exchange {
    return { method: "GET", url, headers: {} };
  }

  #objectUrl(name: string, parameters: Record<string, string> = {}): URL {
    const { bucket, prefix } = this.config;
    return this.#url(`/storage/v1/b/${bucket}/o/${encodeURIComponent(prefix + name)}`, parameters);
  }

  #listUrl(parameters: Record<string, string>): URL {
    return this.#url(`/storage/v1/b/${this.config.bucket}/o`, parameters);
  }

  #url(path: string, parameters: Record<string, string>): URL {
    const url = new URL(path, this.config.endpoint);
    url.search = new URLSearchParams(parameters).toString();
    return url;
  }

  #exchange(exchange: Exchange): Promise<HttpAnswer> {
    return this.#slots.run(async () => {
      const headers = { ...exchange.headers, ...(await this.#credentials()) };
      return this.#connections.exchange({ ...exchange, headers, timeoutMs: this.config.requestTimeoutMs });
    });
  }

  #attempts<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    return withRetries(what, this.config, attempt);
  }
}

type Exchange = Omit<HttpRequest, "timeoutMs">;

interface ListAnswer {
  items?: { name: string; size: string; timeCreated?: string }[];
  prefixes?: string[];
  nextPageToken?: string;
}

function accepted(answer: HttpAnswer): HttpAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw new RefusedError(answer.status, refusalText(answer));
}

function refusalText(answer: HttpAnswer): string {
  const text = answer.body.toString("utf8", 0, 2000);
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } };
    return typeof error?.message === "string" ? error.message : text.slice(0, 200);
  } catch {
    return text.slice(0, 200);
  }
}

function parsed<T>(answer: HttpAnswer): T {
  try {
    return JSON.parse(answer.body.toString("utf8")) as T;
  } catch (error) {
    throw new DamagedAnswerError("the answer is not JSON", { cause: error });
  }
}

function verified(answer: HttpAnswer): Buffer {
  const [, declared] = /(?:^|[,\s])crc32c=([A-Za-z0-9+/]{6}==)/.exec(String(answer.headers["x-goog-hash"])) ?? [];
  if (declared === undefined) throw new DamagedAnswerError("the answer has no checksum");
  const actual = crc32cText(answer.body);
  if (actual !== declared) throw new DamagedAnswerError(`the bytes have the checksum ${actual}, not ${declared}`);
  return answer.body;
}
