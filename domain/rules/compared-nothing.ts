// SPDX-License-Identifier: Apache-2.0
interface ComparedNumbers {
  outcome: string;
  events: number;
  cellsCompared: number;
}

/**
 * Returns whether an audit found neither events nor stored cells. Its outcome is "equal", and nobody may be told so:
 * nothing was compared. /readyz asks, and reports say it (GET /v1/audits, `viewmill audit`, the dashboard).
 */
export function hasComparedNothing({ outcome, events, cellsCompared }: ComparedNumbers): boolean {
  return outcome === "equal" && events === 0 && cellsCompared === 0;
}
