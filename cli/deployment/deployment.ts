// SPDX-License-Identifier: Apache-2.0
/**
 * The stores of a deployment, from its configuration. Commands that read or change a deployment open them here; `serve`
 * adds its log.
 */
import { NO_LATENESS } from "../../domain/rules/lateness";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import { CONTRACT_LIMITS, type IntakeLimits } from "../../intake/limits";
import type { MessageRules } from "../../intake/take-message";
import type { Archive, CounterStore, DeadLetters, EventTypes, Ledger, LogProgress } from "../../io/ports";
import type { Settings } from "../config/schema";
import { openArchive } from "./open-archive";
import { type CounterAccess, type OpenedCounters, openCounters } from "./open-counters";
import { openDeadLetters } from "./open-dead-letters";
import { openEventTypes } from "./open-event-types";
import { openProgress } from "./open-progress";

/** The sections that name the stores of a deployment. */
export type DeploymentSections = Settings<
  | "archive"
  | "claims"
  | "counters"
  | "data"
  | "deadLetters"
  | "gcs"
  | "lateness"
  | "log"
  | "project"
  | "retention"
  | "tier"
>;

/** The stores of a deployment, opened beside running services or without any. */
export interface Deployment {
  archive: Archive;
  counters: CounterStore;
  ledger: Ledger;
  /** Moves cells out of the store. */
  tiering: OpenedCounters["tiering"];
  /** Deletes old books. */
  books: OpenedCounters["books"];
  progress: LogProgress;
  deadLetters: DeadLetters;
  eventTypes: EventTypes;
  close(): Promise<void>;
}

/** Returns whether any part of the deployment is in its data folder. */
export function usesDataFolder({
  log,
  archive,
  counters,
  deadLetters,
  claims,
}: Settings<"archive" | "claims" | "counters" | "deadLetters" | "log">): boolean {
  return (
    log.kind === "embedded" ||
    log.spill.enabled ||
    archive.kind === "directory" ||
    counters.kind === "sqlite" ||
    deadLetters.kind === "sqlite" ||
    claims.kind === "directory"
  );
}

/**
 * Opens the stores, and loads the adapters in use alone. Rejects with DataFolderError, StoreUnavailableError: one clear
 * line each.
 */
export async function openDeployment(
  config: DeploymentSections,
  access: CounterAccess = "shared",
): Promise<Deployment> {
  if (usesDataFolder(config)) (await import("../../io/sqlite/data-folder.js")).prepareDataFolder(config.data);
  const { counters, ledger, tiering, books } = await openCounters(config, access);
  const { progress, close: closeProgress } = await openProgress(config, ledger);
  const deadLetters = await openDeadLetters(config);
  const eventTypes = await openEventTypes(config);
  return {
    counters,
    ledger,
    tiering,
    books,
    progress,
    deadLetters,
    eventTypes,
    archive: await openArchive(config),
    close: async () => {
      await Promise.all([counters.close(), ledger.close(), deadLetters.close(), eventTypes.close(), closeProgress()]);
    },
  };
}

/** Returns the limits of an event, a body and a message, the same on every road. */
export const intakeLimits = ({ http }: Settings<"http">): IntakeLimits => ({
  maxBodyBytes: http.maxBodyBytes,
  maxMessageBytes: CONTRACT_LIMITS.maxMessageBytes,
  maxEvents: http.maxEvents,
  maxEventBytes: http.maxEventBytes,
});

/** Returns the rules by which both readers of a log judge direct producers' messages. */
export const messageRules = (config: Settings<"http" | "retention">): MessageRules => ({
  rawRetentionMs: rawRetentionMs(config),
  limits: intakeLimits(config),
});

/** Returns how long before its receipt an event may be timestamped. */
export const rawRetentionMs = ({ retention }: Settings<"retention">): number => retention.rawDays * DAY_MS;

/**
 * Returns the lateness rule of the deployment's stream. The stream of one machine has none, because it counts its whole
 * archive.
 */
export function allowedLatenessMs({ log, lateness }: Settings<"lateness" | "log">): number {
  return log.kind === "embedded" ? NO_LATENESS : lateness.finalAfterMinutes * MINUTE_MS;
}
