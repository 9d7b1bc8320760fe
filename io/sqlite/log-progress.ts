import type { EmbeddedLog, LogProgress, StreamState } from "../ports";

/** What the embedded log and its stream say of how far the events have come. */
export class SqliteLogProgress implements LogProgress {
  constructor(
    private readonly log: Pick<EmbeddedLog, "firstAfter" | "accepted">,
    private readonly state: Pick<StreamState, "countedThrough">,
  ) {}

  async behind(): Promise<boolean> {
    return (await this.firstUncounted()) !== undefined;
  }

  accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    return this.log.accepted(fromMinute, toMinute);
  }

  async completeThroughMs(nowMs: number): Promise<number> {
    const next = await this.firstUncounted();
    return next === undefined ? nowMs : Math.min(next.appendedAtMs, nowMs);
  }

  private async firstUncounted(): Promise<{ appendedAtMs: number } | undefined> {
    return this.log.firstAfter(await this.state.countedThrough());
  }
}
