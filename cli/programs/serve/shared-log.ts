import type { Logger } from "pino";
import { ClaimCheckLog } from "../../../io/claim-check/claim-check-log";
import { AccountedLog } from "../../../io/cluster/accounted-log";
import type { ClaimStore, EventLog, Ledger, LogProgress, ReceiptStamps } from "../../../io/ports";
import type { LogGauge } from "../../../query-api";
import type { Config } from "../../config/schema";
import { openClaims } from "../../deployment/open-claims";
import { openSharedLog } from "../../deployment/open-log";
import { openReceiptStamps } from "../../deployment/open-receipt-stamps";
import type { LogSide } from "./log-side";
import { type Check, claimCheck, sharedLogChecks } from "./readiness";

/** A service on a log that several share: counting and archiving are other processes', and receipt stamps are shared with the other services. */
export class SharedLog implements LogSide {
  readonly gauges: readonly LogGauge[];

  private constructor(
    readonly log: AccountedLog,
    readonly receiptStamps: ReceiptStamps,
    progress: LogProgress,
    readonly checks: readonly Check[],
  ) {
    this.gauges = [
      {
        name: "viewmill_complete_through_lag_seconds",
        help: "Age of the newest time before which every accepted event is counted",
        value: async () => lagMs(progress).then((ms) => ms / 1000),
      },
    ];
  }

  static async open(config: Config, logger: Logger, ledger: Ledger, progress: LogProgress): Promise<SharedLog> {
    const onFailure = (error: unknown) => logger.warn({ err: error }, "what was accepted could not be booked yet");
    const claims = config.claims.kind === "none" ? undefined : await openClaims(config);
    const log = await openLog(config, logger, claims, progress);
    const accounted = new AccountedLog(log, { ledger, clock: Date.now, onFailure });
    const checks = [...sharedLogChecks(ledger, Date.now), ...(claims === undefined ? [] : [claimCheck(claims)])];
    return new SharedLog(accounted, await openReceiptStamps(config), progress, checks);
  }

  async recentStamps(): Promise<[]> {
    return [];
  }

  async readiness(): Promise<[]> {
    return [];
  }

  begin(): void {}

  async stop(): Promise<void> {
    await this.log.close();
    await this.receiptStamps.close();
  }
}

async function openLog(
  config: Config,
  logger: Logger,
  claims: ClaimStore | undefined,
  progress: LogProgress,
): Promise<EventLog> {
  const log = await openSharedLog(config, logger);
  const { maxMessageBytes, whenBehindSeconds } = config.claims;
  if (claims === undefined) return log;
  return new ClaimCheckLog({
    log,
    claims,
    maxMessageBytes,
    ...(whenBehindSeconds === 0
      ? {}
      : { isBehind: async () => (await progress.behind()) && (await lagMs(progress)) > whenBehindSeconds * 1000 }),
  });
}

async function lagMs(progress: LogProgress): Promise<number> {
  const nowMs = Date.now();
  return Math.max(0, nowMs - (await progress.completeThroughMs(nowMs)));
}
