// SPDX-License-Identifier: Apache-2.0
/**
 * Opens the deployment's stores in a worker process of a cluster before its first bundle (engine's WorkerModule), as
 * resources of the transforms. The streaming job and the audit name it as a module of their workers
 * (cli/deployment/stream-graph.ts).
 */
import { provideResource } from "../../engine";
import { FiredPanes } from "../../transforms/fired-panes";
import { RESOURCES } from "../../transforms/resource-names";
import { WrittenCells } from "../../transforms/written-cells";
import { configSchema } from "../config/schema";
import { type Deployment, openDeployment } from "../deployment/deployment";
import { openClaims } from "../deployment/open-claims";
import { openFindings } from "../deployment/open-findings";
import type { WorkerSections } from "../deployment/worker-sections";

/** Resource name of the worker's WrittenCells. */
export const WRITTEN_CELLS = "worker/written-cells";
/** Resource name of the worker's FiredPanes. */
export const FIRED_PANES = "worker/fired-panes";

let opened: Deployment | undefined;

export async function start(settingsJson: string): Promise<void> {
  const config: WorkerSections = configSchema.parse(JSON.parse(settingsJson));
  opened = await openDeployment(config);
  provideResource(RESOURCES.archive, opened.archive);
  provideResource(RESOURCES.counterStore, opened.counters);
  provideResource(RESOURCES.ledger, opened.ledger);
  provideResource(RESOURCES.logProgress, opened.progress);
  provideResource(RESOURCES.deadLetters, opened.deadLetters);
  provideResource(RESOURCES.eventTypes, opened.eventTypes);
  provideResource(RESOURCES.claims, await openClaims(config));
  provideResource(RESOURCES.findings, await openFindings(config));
  provideResource(WRITTEN_CELLS, new WrittenCells(config.job.maxWrittenCells));
  provideResource(FIRED_PANES, new FiredPanes(config.job.maxFiredPaneBytes));
}

export async function stop(): Promise<void> {
  await opened?.close();
}
