// SPDX-License-Identifier: Apache-2.0
/**
 * A request of node:http whose body can go to one function as it comes, past the events of a stream, which take a fifth
 * of what node:http takes for a small request. The listeners of `serve` make them, and the write API reads by them.
 */
import { IncomingMessage } from "node:http";

/** Takes the parts of a body, then null at its end. A part is not waited for: the receiver bounds what it keeps. */
type BodyReceiver = (part: Buffer | null) => unknown;

export class DirectRequest extends IncomingMessage {
  #receiver: BodyReceiver | undefined;

  /**
   * Gives the body, as far as it has not come, to this function. Returns false where the stream has begun: then the
   * stream alone has the body. May be called again, for what comes from then on. The events `data` and `end` are not
   * emitted afterwards; `close` is, where the client leaves before the end.
   */
  give(receiver: BodyReceiver): boolean {
    if (this.#receiver === undefined && this.#hasBegun) return false;
    this.#receiver = receiver;
    return true;
  }

  get #hasBegun(): boolean {
    return this.readableFlowing !== null || this.readableLength > 0 || this.readableEnded || this.destroyed;
  }

  /** Called by Node's parser with each part of the body, and with null at its end. */
  override push(part: Buffer | null, encoding?: BufferEncoding): boolean {
    if (this.#receiver === undefined) return super.push(part, encoding);
    this.#receiver(part);
    return true;
  }

  /** Called by Node after the answer, so that an unread stream is read to its end. */
  _dump(): void {
    if (this.#receiver === undefined) (IncomingMessage.prototype as unknown as { _dump(): void })._dump.call(this);
  }
}
