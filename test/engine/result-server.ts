// SPDX-License-Identifier: Apache-2.0
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { deadline } from "../deadline";

/**
 * The elements that the sinks of a graph under test received, wherever they ran: one POST an element, answered when it
 * is stored.
 */
export class ResultServer {
  readonly rows: { readonly tag: string; readonly row: unknown; readonly pid: number }[] = [];
  private readonly waiting = new Set<() => void>();
  private readonly server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      this.rows.push(JSON.parse(Buffer.concat(chunks).toString()));
      response.end();
      for (const wake of this.waiting) wake();
    });
  });
  url = "";

  static async start(): Promise<ResultServer> {
    const results = new ResultServer();
    // By default Node closes a connection that was idle for five seconds, even where a process that stood still for a
    // part of them has a request on it unread. Such a request fails its bundle, and a runner that runs it again reports
    // its elements twice.
    results.server.keepAliveTimeout = 0;
    await new Promise<void>((resolve) => results.server.listen(0, "127.0.0.1", resolve));
    results.url = `http://127.0.0.1:${(results.server.address() as AddressInfo).port}/`;
    return results;
  }

  /** Rows of a tag, as texts, sorted. */
  sorted(tag: string): string[] {
    return this.rows
      .filter((each) => each.tag === tag)
      .map((each) => JSON.stringify(each.row))
      .sort();
  }

  /** All of them by tag. */
  byTag(): Record<string, string[]> {
    return Object.fromEntries(
      [...new Set(this.rows.map((each) => each.tag))].sort().map((tag) => [tag, this.sorted(tag)]),
    );
  }

  /** Resolves when `enough` holds; rejects with what has come by the deadline. */
  async until(enough: () => boolean, deadlineMs: number): Promise<void> {
    const late = AbortSignal.timeout(deadline(deadlineMs));
    while (!enough()) {
      await new Promise<void>((resolve, reject) => {
        const giveUp = () => reject(new Error(`not within ${deadlineMs} ms; came: ${JSON.stringify(this.byTag())}`));
        if (late.aborted) return giveUp();
        late.addEventListener("abort", giveUp, { once: true });
        this.waiting.add(() => {
          late.removeEventListener("abort", giveUp);
          resolve();
        });
      }).finally(() => this.waiting.clear());
    }
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
