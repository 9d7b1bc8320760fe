// SPDX-License-Identifier: Apache-2.0
/**
 * The opening of a service: every store and the side of the log, before anything listens. `Service` starts from it.
 */
import type { Logger } from "pino";
import { Registry } from "prom-client";
import { MINUTE_MS } from "../../../domain/rules/time";
import type { SharedAnswers } from "../../../io/ports";
import type { AlertStore } from "../../../io/ports/alert-store";
import type { Config, Settings } from "../../config/schema";
import { type Deployment, openDeployment } from "../../deployment/deployment";
import { hasAlerts, openAlerts } from "../../deployment/open-alerts";
import { hasCatalog, openCatalog } from "../../deployment/open-catalog";
import { openReader } from "../../deployment/open-counters";
import { openSharedAnswers } from "../../deployment/open-shared-answers";
import { ServiceCanary } from "../canary/service-canary";
import { Drain } from "./drain";
import { EmbeddedCounting } from "./embedded-counting";
import { OperationsSide } from "./listeners";
import type { LogSide } from "./log-side";
import { openAdmission } from "./open-admission";
import { SharedLog } from "./shared-log";

/** The parts of a service, opened and not yet working. */
export interface ServiceParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly deployment: Deployment;
  readonly access: Awaited<ReturnType<typeof openAdmission>>;
  readonly operations: OperationsSide;
  readonly reader: Awaited<ReturnType<typeof openReader>>;
  readonly catalog: Awaited<ReturnType<typeof openCatalog>> | undefined;
  /** Undefined: this instance keeps its answers to itself. */
  readonly sharedAnswers: SharedAnswers | undefined;
  readonly logSide: LogSide;
  readonly canary: ServiceCanary;
  readonly alertStore: AlertStore | undefined;
  readonly drain: Drain;
}

/** Opens the stores and the side of the log. Rejects with the error of the first part that cannot be opened. */
export async function openServiceParts(config: Config, logger: Logger): Promise<ServiceParts> {
  const registry = new Registry();
  const deployment = await openDeployment(config);
  const access = await openAdmission(config, logger);
  return {
    config,
    logger,
    registry,
    deployment,
    access,
    operations: new OperationsSide(config),
    reader: await openReader(config, deployment.counters),
    catalog: hasCatalog(config) ? await openCatalog(config) : undefined,
    sharedAnswers: await openSharedAnswers(config, logger),
    logSide: await openLogSide(config, logger, deployment),
    drain: new Drain(config.http.drainSeconds * 1000),
    alertStore: hasAlerts(config) ? await openAlerts(config) : undefined,
    canary: new ServiceCanary(config, logger, registry, access.ownKey),
  };
}

/** Opens the log: one machine counts its own log; on a cluster a pipeline counts it. */
function openLogSide(config: Config, logger: Logger, deployment: Deployment): Promise<LogSide> {
  const { archive, ledger, progress } = deployment;
  if (config.log.kind !== "embedded") return SharedLog.open(config, logger, ledger, progress);
  return EmbeddedCounting.open({ config, logger, archive, ledger, finalAfterMs: finalAfterMs(config) });
}

export const finalAfterMs = ({ lateness }: Settings<"lateness">): number => lateness.finalAfterMinutes * MINUTE_MS;
