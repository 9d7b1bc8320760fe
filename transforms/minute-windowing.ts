// SPDX-License-Identifier: Apache-2.0
/**
 * The way a streaming runner fires the minutes. A bounded run needs no such options, because it sees every minute
 * whole. A deployment's stream on Flink or Dataflow sets it from the configuration.
 */
export interface MinuteWindowing {
  /**
   * How long after the end of a minute (by the watermark) its on-time pane fires. Events that arrive within this time
   * cost no second pane.
   */
  graceMs: number;
  /** The interval, in processing time, of early panes of the open minute; 0: no early panes. */
  earlyFiringMs: number;
  /** How long late events wait for others, in processing time, so that one late pane serves many. */
  lateFiringMs: number;
  /**
   * The allowed lateness of Beam: how long after its end (by the watermark) a minute is kept. It is larger than the
   * lateness rule allows, so that the runner drops no event itself.
   */
  keptMs: number;
}
