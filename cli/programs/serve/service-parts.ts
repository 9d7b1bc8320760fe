// SPDX-License-Identifier: Apache-2.0
/**
 * The opening of a service: every store and the side of the log, before anything listens. `Service` starts from it.
 */
import type { Logger } from "pino";
import { Registry } from "prom-client";
import { MINUTE_MS } from "../../../domain/rules/time";
import type { SharedAnswers } from "../../../io/ports";
import type { AlertStore } from "../../../io/ports/alert-store";
import type { Settings } from "../../config/schema";
import { type Deployment, type DeploymentSections, openDeployment } from "../../deployment/deployment";
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

/** The sections that a service needs: those of its stores, and those of what works in it. */
export type ServiceSections = DeploymentSections &
  Settings<"alerts" | "audit" | "canary" | "catalog" | "http" | "keys" | "maxEventTypes" | "stream">;

/** What a service gets beside its configuration. */
export interface ServiceOptions {
  readonly logger: Logger;
  /** Writes the settings for the commands that the service runs on a schedule, and returns the file. */
  readonly configFile: () => string;
}

/** The parts of a service, opened and not yet working. */
export interface ServiceParts {
  readonly config: ServiceSections;
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
export async function openServiceParts(config: ServiceSections, options: ServiceOptions): Promise<ServiceParts> {
  const { logger } = options;
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
    logSide: await openLogSide(config, options, deployment),
    drain: new Drain(config.http.drainSeconds * 1000),
    alertStore: hasAlerts(config) ? await openAlerts(config) : undefined,
    canary: new ServiceCanary(config, logger, registry, access.ownKey),
  };
}

/** Opens the log: one machine counts its own log; on a cluster a pipeline counts it. */
function openLogSide(config: ServiceSections, options: ServiceOptions, deployment: Deployment): Promise<LogSide> {
  const { ledger, progress } = deployment;
  if (config.log.kind !== "embedded") return SharedLog.open(config, options.logger, ledger, progress);
  return EmbeddedCounting.open({ config, ...options, ledger });
}

export const finalAfterMs = ({ lateness }: Settings<"lateness">): number => lateness.finalAfterMinutes * MINUTE_MS;
