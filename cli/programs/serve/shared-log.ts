// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { ClaimCheckLog } from "../../../io/claim-check/claim-check-log";
import { AccountedLog } from "../../../io/cluster/accounted-log";
import { LaterLog } from "../../../io/cluster/later-log";
import { SpillLog } from "../../../io/cluster/spill-log";
import type { ClaimStore, EventLog, Ledger, LogProgress, ReceiptStamps } from "../../../io/ports";
import { prepareDataFolder } from "../../../io/sqlite/data-folder";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import type { LogGauge } from "../../../query-api";
import type { Settings } from "../../config/schema";
import { openClaims } from "../../deployment/open-claims";
import { openSharedLog } from "../../deployment/open-log";
import { openReceiptStamps } from "../../deployment/open-receipt-stamps";
import type { LogSide } from "./log-side";
import { type Check, claimCheck, sharedLogChecks } from "./readiness";

/**
 * A service on a log that several processes share. Other processes count and archive, and services share receipt
 * stamps. `serve` opens it where the log is Kafka or Pub/Sub.
 */
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

  static async open(
    config: Settings<"claims" | "counters" | "data" | "gcs" | "log" | "project">,
    logger: Logger,
    ledger: Ledger,
    progress: LogProgress,
  ): Promise<SharedLog> {
    const onFailure = (error: unknown) => logger.warn({ err: error }, "what was accepted could not be booked yet");
    const claims = config.claims.kind === "none" ? undefined : await openClaims(config);
    const open = () => openLog(config, logger, claims, progress);
    const spill = config.log.spill.enabled ? await openSpill(config, logger, open) : undefined;
    const log = spill ?? (await open());
    const accounted = new AccountedLog(log, { ledger, clock: Date.now, onFailure });
    const checks = [...sharedLogChecks(ledger, Date.now), ...(claims === undefined ? [] : [claimCheck(claims)])];
    if (spill !== undefined) checks.push(spillCheck(spill));
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

/**
 * Opens the spill in a folder of its own, because the embedded log's file belongs to another deployment. A folder that
 * is there is that of an earlier start, to which the log has answered by its name. So the log may be away at this one,
 * where a first start ends with the error.
 */
async function openSpill(
  config: Settings<"data" | "log">,
  logger: Logger,
  open: () => Promise<EventLog>,
): Promise<SpillLog> {
  const folder = join(config.data, "spill");
  const onAway = (error: unknown) =>
    logger.warn({ err: error }, "the log is away at the start: this disk takes events");
  const log = existsSync(folder) ? await LaterLog.open(open, onAway) : await open();
  prepareDataFolder(folder);
  const queue = await SqliteEventLog.open({ folder, maxBacklogBytes: config.log.spill.maxBytes });
  return SpillLog.open({
    log,
    queue,
    onSpill: (error) => logger.warn({ err: error }, "the log is away: events are kept on this disk"),
    onDrained: () => logger.info("what was kept on this disk is in the log"),
  });
}

function spillCheck(spill: SpillLog): Check {
  const look = async () => {
    const waiting = await spill.waiting();
    if (waiting === undefined) return "nothing waits on this disk";
    throw new Error(`${waiting.bytes} bytes wait on this disk since ${new Date(waiting.sinceMs).toISOString()}`);
  };
  return { name: "spill", required: false, look };
}

async function openLog(
  config: Settings<"claims" | "log" | "project">,
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
