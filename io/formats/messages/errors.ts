// SPDX-License-Identifier: Apache-2.0
/** Thrown for a message above the bound of its topic, which no retry can send. */
export class MessageTooLargeError extends RangeError {
  override readonly name = "MessageTooLargeError";
}
