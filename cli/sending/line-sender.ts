// SPDX-License-Identifier: Apache-2.0
/** The sending of NDJSON lines to a service, for the commands `send`, `generate` and `demo`. */
import { platformGzip } from "../../client/compress";
import { Delivery, type DeliveryOptions } from "../../client/delivery";
import type { EventErrorReason } from "../../client/errors";
import type { LineBlock } from "../../intake/line-blocks";
import { linesOf } from "../../intake/lines";

export interface RejectedLine {
  number: number;
  bytes: Buffer;
  reason: EventErrorReason;
  detail: string;
}

interface LineSenderOptions extends DeliveryOptions {
  /** The number of blocks under way; `send` waits beyond it. */
  maxInFlight: number;
  onRejected: (line: RejectedLine) => void;
}

/**
 * Sends blocks of NDJSON lines unchanged, by the policy of the client library (client/delivery.ts), several at once.
 * `accepted` counts the accepted lines; `onRejected` gets every other line.
 */
export class LineSender {
  accepted = 0;
  rejected = 0;
  private readonly delivery: Delivery;
  private readonly gzip = platformGzip();
  private readonly running = new Set<Promise<void>>();
  /**
   * Set after one block could not be delivered. Further blocks are not tried, because each would wait as long again.
   */
  private gaveUp = "";
  /** The first error of `onRejected`, for example a full disk. */
  private failure: { error: unknown } | undefined;

  constructor(private readonly options: LineSenderOptions) {
    this.delivery = new Delivery({ ...options, maxConnections: options.maxInFlight });
  }

  /**
   * Resolves when the block is under way and there is room for another. Rejects with the error of `onRejected`, for
   * this block or an earlier one.
   */
  async send(block: LineBlock): Promise<void> {
    const sending = this.deliver(block)
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => this.running.delete(sending));
    this.running.add(sending);
    if (this.running.size >= this.options.maxInFlight) await Promise.race(this.running);
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** Resolves when every block has its answer. Rejects as `send` does. */
  async finish(): Promise<void> {
    await Promise.all(this.running);
    if (this.failure !== undefined) throw this.failure.error;
  }

  reject(line: RejectedLine): void {
    this.rejected++;
    this.options.onRejected(line);
  }

  private async deliver(block: LineBlock): Promise<void> {
    if (this.gaveUp !== "") {
      this.rejectAll(block, "undelivered", this.gaveUp);
      return;
    }
    const headers: Record<string, string> = { "Content-Type": "application/x-ndjson" };
    let body: Uint8Array = block.bytes;
    if (this.gzip !== undefined) {
      body = await this.gzip.compress(body);
      headers["Content-Encoding"] = this.gzip.encoding;
    }
    const outcome = await this.delivery.deliver(body, headers);
    switch (outcome.kind) {
      case "answered": {
        const lines = outcome.rejected.length === 0 ? [] : linesOf(block.bytes, block.firstLine);
        if (outcome.rejected.some(({ index }) => index >= lines.length)) {
          this.rejectAll(block, "undelivered", "the answer names lines that were not sent");
          return;
        }
        this.accepted += outcome.accepted;
        for (const { index, reason, detail } of outcome.rejected) this.reject({ ...lines[index]!, reason, detail });
        return;
      }
      case "undelivered":
        this.gaveUp = outcome.detail;
        this.rejectAll(block, "undelivered", outcome.detail);
        return;
      case "refused": {
        if (outcome.status === 0) {
          this.gaveUp = outcome.detail;
          this.rejectAll(block, "undelivered", outcome.detail);
          return;
        }
        const lines = linesOf(block.bytes, block.firstLine);
        if (outcome.status !== 413) this.rejectAll(block, "refused", outcome.detail);
        else if (lines.length <= 1) this.rejectAll(block, "too-large", outcome.detail);
        else for (const half of halves(block, lines[lines.length >> 1]!.number)) await this.deliver(half);
        return;
      }
      default:
        outcome satisfies never;
    }
  }

  private rejectAll(block: LineBlock, reason: EventErrorReason, detail: string): void {
    for (const line of linesOf(block.bytes, block.firstLine)) this.reject({ ...line, reason, detail });
  }
}

/** Splits the block in two; the second begins with the line of this number. */
function halves({ bytes, firstLine }: LineBlock, secondLine: number): LineBlock[] {
  let at = 0;
  for (let line = firstLine; line < secondLine; line++) at = bytes.indexOf(0x0a, at) + 1;
  return [
    { bytes: bytes.subarray(0, at), firstLine },
    { bytes: bytes.subarray(at), firstLine: secondLine },
  ];
}
