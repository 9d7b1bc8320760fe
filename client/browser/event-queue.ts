// SPDX-License-Identifier: Apache-2.0
/**
 * Events of a page that have no answer yet, in IndexedDB, so that they outlive the page. The client in a page
 * (page-client.ts) keeps every event in the queue until it has an answer.
 */

/** An event in the form in which it is sent. */
export interface KeptEvent {
  eventId: string;
  json: string;
}

/** The longest kept event; the longest event that a service accepts is far shorter. */
const MAX_KEPT_CHARS = 2_048;
const STORE = "events";

/**
 * Keeps events without an answer in IndexedDB, so that they survive the page: a later page of the same origin sends
 * them again with their eventIds. All pages of an origin share one queue of at most `maxEvents`; an event beyond that
 * is kept in memory alone. Where IndexedDB is refused (some private windows), no event is kept. No method throws.
 */
export class EventQueue {
  private readonly database: Promise<IDBDatabase | undefined>;

  constructor(
    name: string,
    private readonly maxEvents: number,
  ) {
    this.database = openDatabase(name).catch(() => undefined);
  }

  /** Returns the events of earlier pages, and those that wait in other pages. */
  async load(): Promise<KeptEvent[]> {
    const store = await this.store("readonly");
    return store === undefined ? [] : answered<KeptEvent[]>(store.getAll()).catch(() => []);
  }

  async put(event: KeptEvent): Promise<void> {
    if (event.json.length > MAX_KEPT_CHARS) return;
    const store = await this.store("readwrite");
    if (store === undefined) return;
    const count = store.count();
    count.onsuccess = () => {
      if (count.result < this.maxEvents) store.put({ eventId: event.eventId, json: event.json });
    };
  }

  async remove(eventId: string): Promise<void> {
    (await this.store("readwrite"))?.delete(eventId);
  }

  async close(): Promise<void> {
    (await this.database)?.close();
  }

  /** Resolves with undefined where the database is missing or closed. */
  private async store(mode: IDBTransactionMode): Promise<IDBObjectStore | undefined> {
    try {
      return (await this.database)?.transaction(STORE, mode).objectStore(STORE);
    } catch {
      return undefined;
    }
  }
}

function openDatabase(name: string): Promise<IDBDatabase> {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "eventId" });
  return answered(opening);
}

function answered<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
