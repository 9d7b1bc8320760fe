import type { Logger } from "pino";
import { ClaimCheckLog } from "../../io/claim-check/claim-check-log";
import type { EventLog, LogProgress } from "../../io/ports";
import type { LogGauge } from "../../query-api";
import type { Config } from "../config-schema";
import { openClaims } from "../deployment/open-claims";
import { openSharedLog } from "../deployment/open-log";
import type { LogSide } from "./log-side";

/**
 * A service on a log that several share: counting and archiving are other processes'. Receipt stamps are this process's own: an event without a
 * time that is sent again to another service may get another.
 */
export class SharedLog implements LogSide {
  readonly gauges: readonly LogGauge[];

  private constructor(
    readonly log: EventLog,
    progress: LogProgress,
  ) {
    this.gauges = [
      {
        name: "viewmill_complete_through_lag_seconds",
        help: "Age of the newest time before which every accepted event is counted",
        value: async () => lagMs(progress).then((ms) => ms / 1000),
      },
    ];
  }

  static async open(config: Config, logger: Logger, progress: LogProgress): Promise<SharedLog> {
    const log = await openSharedLog(config, logger);
    const { kind, maxMessageBytes, whenBehindSeconds } = config.claims;
    if (kind === "none") return new SharedLog(log, progress);
    const claimCheck = new ClaimCheckLog({
      log,
      claims: await openClaims(config),
      maxMessageBytes,
      ...(whenBehindSeconds === 0
        ? {}
        : { isBehind: async () => (await progress.behind()) && (await lagMs(progress)) > whenBehindSeconds * 1000 }),
    });
    return new SharedLog(claimCheck, progress);
  }

  async recentStamps(): Promise<[]> {
    return [];
  }

  async readiness(): Promise<[]> {
    return [];
  }

  begin(): void {}

  stop(): Promise<void> {
    return this.log.close();
  }
}

async function lagMs(progress: LogProgress): Promise<number> {
  const nowMs = Date.now();
  return Math.max(0, nowMs - (await progress.completeThroughMs(nowMs)));
}
