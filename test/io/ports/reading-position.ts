// SPDX-License-Identifier: Apache-2.0
import type { EmbeddedLedger } from "../../../io/ports";
import type { ReadingPosition } from "./embedded-subscription";

export function readingPositionOf(ledger: EmbeddedLedger): ReadingPosition {
  return {
    checkpoint: () => ledger.checkpoint(),
    pending: () => ledger.pending(),
    setPending: (range) => ledger.setPending(range),
    complete: (position) => ledger.completePass(position, [], []),
  };
}
