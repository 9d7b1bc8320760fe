// SPDX-License-Identifier: Apache-2.0
/** How a streaming runner fires the minutes. A bounded run has none of this: it sees every minute whole. */
export interface MinuteWindowing {
  /**
   * How long after its end (by the watermark) a minute's on-time pane fires: what comes within it costs no second pane.
   */
  graceMs: number;
  /** A pane of the open minute this often in processing time; 0: none before it ends. */
  earlyFiringMs: number;
  /** Late events wait this long in processing time for others, so that one pane serves many. */
  lateFiringMs: number;
  /**
   * How long a minute is kept after its end (by the watermark). Larger than the lateness rule allows, so that the
   * runner drops nothing itself.
   */
  keptMs: number;
}
