/** A message above the bound of its topic: sending it again can never succeed. */
export class MessageTooLargeError extends RangeError {
  override readonly name = "MessageTooLargeError";
}

/** The portion now belongs to another reader (or will): nothing of it is acknowledged by this one. */
export class PortionLostError extends Error {
  override readonly name = "PortionLostError";
}
