// SPDX-License-Identifier: Apache-2.0
/**
 * The bound on what the write API handles at once. `Ingest.handle` takes a place before it reads a body, and the
 * metrics show how full it is.
 */

interface InFlightBounds {
  maxInFlightBytes: number;
  maxInFlightRequests: number;
}

/** The place of one request among those being handled. `leave` gives the place back. */
export interface Place {
  /** Counts `bytes` more for this request. Returns false, and counts nothing, where the bound would be exceeded. */
  grow(bytes: number): boolean;
  leave(): void;
}

/** Counts the requests being handled and the bytes they hold, and refuses requests beyond the bounds. */
export class InFlight {
  requests = 0;
  bytes = 0;
  private closed = false;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly bounds: InFlightBounds) {}

  get draining(): boolean {
    return this.closed;
  }

  /** Returns a place, or undefined where the bound of requests is reached. */
  enter(): Place | undefined {
    if (this.requests >= this.bounds.maxInFlightRequests) return undefined;
    this.requests++;
    let held = 0;
    let left = false;
    return {
      grow: (bytes) => {
        if (left || this.bytes + bytes > this.bounds.maxInFlightBytes) return false;
        held += bytes;
        this.bytes += bytes;
        return true;
      },
      leave: () => {
        if (left) return;
        left = true;
        this.bytes -= held;
        this.requests--;
        if (this.requests === 0) for (const resolve of this.waiting.splice(0)) resolve();
      },
    };
  }

  /** Sets `draining`; resolves when no request is being handled. */
  drain(): Promise<void> {
    this.closed = true;
    if (this.requests === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
