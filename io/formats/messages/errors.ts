// SPDX-License-Identifier: Apache-2.0
/** A message above the bound of its topic: sending it again can never succeed. */
export class MessageTooLargeError extends RangeError {
  override readonly name = "MessageTooLargeError";
}
