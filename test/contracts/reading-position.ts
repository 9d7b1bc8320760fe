import type { StreamState } from "../../io/ports";
import type { ReadingPosition } from "../../io/sqlite/log-subscription";

export function readingPositionOf(state: StreamState): ReadingPosition {
  return {
    checkpoint: () => state.checkpoint(),
    pending: () => state.pending(),
    setPending: (range) => state.setPending(range),
    complete: (position) => state.completePass(position, [], []),
  };
}
