// SPDX-License-Identifier: Apache-2.0
/** As much of IndexedDB in memory as pages of one origin need: databases that outlive their connections. */

type Rows = Map<unknown, Record<string, unknown>>;

class Request {
  result: unknown;
  error: unknown;
  onsuccess: (() => void) | undefined;
  onerror: (() => void) | undefined;
  onupgradeneeded: (() => void) | undefined;

  constructor(work: (request: Request) => unknown) {
    queueMicrotask(() => {
      try {
        this.result = work(this);
      } catch (error) {
        this.error = error;
        this.onerror?.();
        return;
      }
      this.onsuccess?.();
    });
  }
}

export class MemoryIndexedDb {
  readonly databases = new Map<string, Map<string, { keyPath: string; rows: Rows }>>();
  /** What goes wrong, as in windows that allow no storage. */
  fault: "no-database" | "no-reads" | undefined;

  /** The ids of the kept rows. */
  idsOf(name: string): unknown[] {
    return [...(this.databases.get(name)?.values() ?? [])].flatMap(({ rows }) => [...rows.keys()]);
  }

  open(name: string, version: number): Request {
    return new Request((request) => {
      if (this.fault === "no-database" || version < 1) throw new Error("refused");
      const isNew = !this.databases.has(name);
      if (isNew) this.databases.set(name, new Map());
      request.result = this.#connection(name);
      if (isNew) request.onupgradeneeded?.();
      return request.result;
    });
  }

  #connection(name: string) {
    const stores = this.databases.get(name)!;
    let isOpen = true;
    return {
      createObjectStore: (store: string, { keyPath }: { keyPath: string }) => {
        stores.set(store, { keyPath, rows: new Map() });
      },
      close: () => {
        isOpen = false;
      },
      transaction: (store: string, mode: "readonly" | "readwrite") => {
        const found = stores.get(store);
        if (!isOpen || found === undefined) throw new Error("InvalidStateError");
        if (mode !== "readonly" && mode !== "readwrite") throw new TypeError("no such mode");
        return { objectStore: (_same: string) => this.#store(found, mode) };
      },
    };
  }

  #store({ keyPath, rows }: { keyPath: string; rows: Rows }, mode: string) {
    const writing = (work: () => unknown) => {
      if (mode !== "readwrite") throw new Error("ReadOnlyError");
      return new Request(work);
    };
    return {
      getAll: () =>
        new Request(() => {
          if (this.fault === "no-reads") throw new Error("damaged");
          return [...rows.values()];
        }),
      count: () => new Request(() => rows.size),
      put: (row: Record<string, unknown>) => writing(() => rows.set(row[keyPath], structuredClone(row))),
      delete: (key: unknown) => {
        if (key === undefined) throw new Error("DataError");
        return writing(() => rows.delete(key));
      },
    };
  }
}
